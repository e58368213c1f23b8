"""The page of the API's description in a real browser: the real service with the shipped bundles, and a token."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from handler.auth import digest
from handler.operations import OPERATIONS
from tests.browser.conftest import OpenPage
from tests.browser.looking import overflow, violations
from tests.handler.deployment import served

BUNDLES = Path(__file__).parents[2] / "examples" / "bundles"
TOKEN = "a-token"

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve with a token and behind a base path, as behind a custom domain."""
    with served([BUNDLES], NLU_TOKEN_DIGESTS=digest(TOKEN), NLU_BASE_PATH="/nlu") as port:
        yield f"http://127.0.0.1:{port}/nlu/docs"


def unfold(page: Page, operation: str) -> None:
    """Open everything in the card of an operation."""
    page.locator(f"#{operation}").wait_for()
    for summary in page.locator(f"#{operation} summary").all():
        summary.click()


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_shows_every_route_and_is_accessible(
    open_page: OpenPage, address: str, dark: bool, phone: bool
) -> None:
    page = open_page(address, dark=dark, phone=phone)
    expect(page.locator("section.operation")).to_have_count(len(OPERATIONS))
    for operation in ("post_understand", "post_batch_predict", "post_mcp"):
        unfold(page, operation)
    assert violations(page) == []
    assert overflow(page) == []


def test_a_request_can_be_sent_with_a_token(open_page: OpenPage, address: str) -> None:
    page = open_page(address, refused=("/understand",))
    unfold(page, "post_understand")
    card = page.locator("#post_understand")
    card.get_by_role("button", name="Send").click()
    expect(card.get_by_text("Status 401")).to_be_visible()
    page.get_by_label("Token").fill(TOKEN)
    card.get_by_label("Body").fill('{"text": "احجز لي رحلة إلى القاهرة <b>غدا</b>"}')
    card.get_by_role("button", name="Send").click()
    expect(card.get_by_text("Status 200")).to_be_visible()
    response = card.get_by_role("region", name="Response")
    expect(response).to_contain_text("<b>غدا</b>")
    expect(response).to_contain_text('"value": "ar"')
    assert violations(page) == []


def test_types_are_linked(open_page: OpenPage, address: str) -> None:
    page = open_page(address)
    page.locator("#post_understand").get_by_role("link", name="Understood").click()
    assert page.url.endswith("#type-Understood")
    expect(page.locator("#type-Understood").get_by_text("below_threshold")).to_be_in_viewport()


def test_a_description_that_cannot_be_loaded_is_an_error_on_the_page(open_page: OpenPage, address: str) -> None:
    page = open_page("about:blank", refused=("/openapi.json",))
    page.route("**/openapi.json", lambda route: route.fulfill(status=503, body="{}"))
    page.goto(address)
    expect(page.get_by_role("alert")).to_contain_text("The description cannot be loaded: status 503.")
    assert violations(page) == []
