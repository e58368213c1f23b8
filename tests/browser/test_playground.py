"""The playground in a real browser: the real service with the bundles that ship with the repository."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.looking import overflow, violations
from tests.handler.deployment import served

BUNDLES = Path(__file__).parents[2] / "examples" / "bundles"

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served([BUNDLES], "--open") as port:
        yield f"http://127.0.0.1:{port}/playground"


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_is_accessible_in_both_themes(open_page: OpenPage, address: str, dark: bool, phone: bool) -> None:
    page = open_page(address, dark=dark, phone=phone)
    assert violations(page) == []
    assert overflow(page) == []


def test_the_theme_can_be_chosen_and_is_kept(open_page: OpenPage, address: str) -> None:
    page = open_page(address)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Use the dark theme").click()
    page.reload()
    page.get_by_role("button", name="Use the light theme").wait_for()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
