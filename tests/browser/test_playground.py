"""The playground in a real browser: the real service with the bundles that ship with the repository."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from handler.auth import digest
from tests.browser.conftest import BUNDLES, OpenPage
from tests.browser.looking import overflow, violations
from tests.bundles import CRASH, INTENT, TAGGER, write_bundle
from tests.handler.deployment import served

FLIGHT = "book a flight from Rome to Cape Town sunday afternoon"
ARABIC = "أريد تغيير حجزي رقم CD61LP إلى موعد آخر، يوم الأحد"
TOKEN = "a secret token"

pytestmark = pytest.mark.integration


def ask(page: Page, text: str) -> Locator:
    """Send a message with the keyboard, and return the answer of the first side."""
    message = page.get_by_role("textbox", name="Message")
    message.fill(text)
    message.press("Enter")
    expect(page.locator("#history [aria-current=true] .text")).to_have_text(text)
    return page.get_by_role("article").first


@pytest.mark.parametrize("dark", [False, True], ids=["light desktop", "dark phone"])
def test_the_page_is_accessible_in_both_themes(open_page: OpenPage, address: str, dark: bool) -> None:
    page = open_page(address, dark=dark, phone=dark)
    ask(page, FLIGHT)
    ask(page, ARABIC)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("checkbox")).to_have_count(4)
    ask(page, "fly to the hotel")
    for summary in page.locator("summary").all():
        summary.click()
    assert (violations(page), overflow(page)) == ([], [])
    page.get_by_role("tab", name="A file").click()
    page.set_input_files("#file", {"name": "a.csv", "mimeType": "text/csv", "buffer": b"text,intent\nhello,greet"})
    page.get_by_role("button", name="Ask for it").click()
    expect(page.locator("#table-rows tr")).to_have_count(1)
    assert (violations(page), overflow(page)) == ([], [])


def test_an_answer_shows_intents_slots_language_and_times(open_page: OpenPage, address: str) -> None:
    page = open_page(address)
    answer = ask(page, FLIGHT)
    expect(answer.locator(".verdict")).to_contain_text("book_flight")
    expect(answer.locator(".verdict")).to_contain_text("English")
    expect(page.get_by_role("link", name="API")).to_have_attribute("href", address.replace("playground", "docs"))
    expect(answer.locator("mark .tone")).to_contain_text(["Cape Town"])
    expect(answer.locator(".entities")).to_contain_text("destination")
    expect(answer.get_by_text("It counts: this model has no thresholds.")).to_be_visible()
    language = answer.locator(".part", has=page.get_by_role("heading", name="Language"))
    gauge = language.locator(".gauge").first
    whole, limit = gauge.bounding_box(), gauge.locator(".limit").bounding_box()
    assert whole is not None
    assert limit is not None
    threshold = 0.909355  # of the shipped bundle
    assert (limit["x"] + 1 - whole["x"]) / whole["width"] == pytest.approx(threshold, abs=0.01)
    expect(answer.locator(".part", has_text="Time of each model").locator(".number").first).to_have_text(
        re.compile(r"^[\d.]+ ms$")
    )


def test_a_withheld_answer_says_why(open_page: OpenPage, address: str) -> None:
    page = open_page(address)
    answer = ask(page, "XK-4471")
    expect(answer.get_by_text("It is withheld: the text shows too little of this language.")).to_be_visible()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("checkbox")).to_have_count(4)
    ask(page, "fly to the hotel")
    other = page.get_by_role("article").nth(1)
    expect(other.locator(".verdict")).to_contain_text("no intent")
    expect(other.locator(".verdict")).to_contain_text("withheld: book_flight")
    expect(other.get_by_text("It is withheld: the softened confidence,")).to_contain_text("the threshold, 70.0%.")
    expect(other.locator(".gauge .compared")).to_have_count(1)
    expect(page.locator(".compared-note p")).to_have_text(["Intent: book_hotel in A, none in B."])


def test_an_arabic_message_is_shown_from_right_to_left(open_page: OpenPage, address: str) -> None:
    page = open_page(address, phone=True)
    answer = ask(page, ARABIC)
    expect(answer.locator(".verdict")).to_contain_text("Arabic")
    expect(answer.locator("mark .tone")).to_contain_text(["CD61LP", "الأحد"])
    for element in (page.get_by_role("textbox", name="Message"), answer.locator(".message")):
        assert element.evaluate("each => getComputedStyle(each).direction") == "rtl"
    assert overflow(page) == []


def test_texts_are_never_markup(open_page: OpenPage, address: str) -> None:
    page = open_page(address)
    text = "<img src=x onerror=alert(1)> </script> fly \U0001f600 to Cape Town"
    answer = ask(page, text)
    expect(answer.locator(".message")).to_contain_text("<img src=x onerror=alert(1)> </script> fly \U0001f600 to")
    expect(answer.locator("mark .tone")).to_contain_text(["Cape Town"])
    assert page.locator("img").count() == 0


def test_json_and_the_command_can_be_copied_and_the_token_is_not_in_them(open_page: OpenPage) -> None:
    environ = {"NLU_TOKEN_DIGESTS": digest(TOKEN), "NLU_BASE_PATH": "/nlu"}
    with served([BUNDLES], **environ) as port:
        address = f"http://127.0.0.1:{port}/nlu"
        permissions = ["clipboard-read", "clipboard-write"]
        page = open_page(f"{address}/playground/", refused=("/models",), permissions=permissions)
        field = page.get_by_label("Token", exact=True)
        field.fill("wrong")
        field.press("Enter")
        expect(page.get_by_text("It does not know this one.")).to_be_visible()
        assert violations(page) == []
        field.fill(TOKEN)
        field.press("Enter")
        expect(page.locator("#models")).to_contain_text("intent")
        answer = ask(page, "it's me")
        answer.get_by_text("curl", exact=True).click()
        answer.get_by_role("button", name="Copy curl").click()
        expect(answer.get_by_role("button", name="Copied")).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert TOKEN not in copied
        assert copied.startswith(f"curl '{address}/understand'")
        assert '-H "authorization: Bearer $TOKEN"' in copied
        assert copied.endswith("""-d '{"text":"it'\\''s me"}'""")
        answer.get_by_text("JSON", exact=True).click()
        answer.get_by_role("button", name="Copy JSON").click()
        expect(answer.get_by_role("button", name="Copied")).to_have_count(2)
        assert json.loads(page.evaluate("navigator.clipboard.readText()"))["text"] == "it's me"
        page.reload()
        expect(page.locator("#models")).to_contain_text("intent")
        assert TOKEN not in page.evaluate("JSON.stringify(localStorage)") + page.content()


def test_another_service_can_be_compared_if_it_allows_the_page(
    open_page: OpenPage, address: str, other_bundles: Path
) -> None:
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(address))
    with (
        served([other_bundles], "--open") as closed,
        served([other_bundles], NLU_TOKEN_DIGESTS=digest(TOKEN), NLU_CORS_ORIGINS=origin) as port,
    ):
        page = open_page(address, refused=("/models",))
        page.get_by_role("button", name="Compare").click()
        page.get_by_label("B is").select_option("Another service")
        expect(page.locator("#comparison")).to_contain_text(f"NLU_CORS_ORIGINS={origin} ludwig-serverless serve")
        place = page.get_by_label("Address")
        place.fill(f"http://127.0.0.1:{closed}/")
        place.press("Tab")
        expect(page.get_by_role("alert")).to_contain_text("cannot be reached from this page")
        place.fill(f"http://127.0.0.1:{port}/")
        place.press("Tab")
        expect(page.locator("#token-address")).to_have_text(f"http://127.0.0.1:{port}")
        page.get_by_label("Token", exact=True).fill(TOKEN)
        page.get_by_role("button", name="Use this token").click()
        expect(page.get_by_role("checkbox")).to_have_count(4)
        ask(page, "fly")
        expect(page.get_by_role("article")).to_have_count(2)
        expect(page.get_by_role("article").nth(1)).to_contain_text(f"http://127.0.0.1:{port} (intent)")
        expect(page.get_by_role("article").nth(1).locator(".part", has_text="Time of each model")).to_contain_text(
            " ms"
        )


def test_two_models_of_one_kind_are_compared_with_each_other(open_page: OpenPage, tmp_path: Path) -> None:
    write_bundle(tmp_path / "new", INTENT, name="new-intent")
    with served([BUNDLES, tmp_path], "--open") as port:
        page = open_page(f"http://127.0.0.1:{port}/playground")
        page.get_by_role("button", name="Compare").click()
        expect(page.get_by_role("checkbox")).to_have_count(8)
        ask(page, "hotel")
        titles = page.get_by_role("article").get_by_role("heading", level=2)
        expect(titles).to_have_text(["A: this service (intent, language, slots)", "B: this service (new-intent)"])
        expect(page.get_by_role("article").nth(1).locator(".verdict")).to_contain_text("book_hotel")


def test_a_model_that_fails_is_named_beside_the_answers_of_the_others(open_page: OpenPage, tmp_path: Path) -> None:
    write_bundle(tmp_path / "intent", INTENT, breaking=True)
    write_bundle(tmp_path / "slots", TAGGER)
    with served([tmp_path], "--open") as port:
        page = open_page(f"http://127.0.0.1:{port}/playground", refused=("/understand",))
        answer = ask(page, f"{CRASH} Paris")
        expect(answer.get_by_role("alert")).to_have_text(
            "intent: The model failed: see the service's log for the details."
        )
        expect(answer.locator("mark .tone")).to_have_text(["Paris"])
        ask(page, "word " * 2500)
        expect(page.get_by_role("alert")).to_contain_text("Status 413: A text has 12500 characters")
        assert overflow(page) == []


def test_the_history_shows_an_earlier_answer_again(open_page: OpenPage, address: str) -> None:
    page = open_page(address)
    ask(page, FLIGHT)
    ask(page, "hello")
    page.get_by_role("button", name=FLIGHT).click()
    expect(page.get_by_role("article").locator(".verdict")).to_contain_text("book_flight")
    expect(page.get_by_role("textbox", name="Message")).to_have_value(FLIGHT)
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("article")).to_have_count(0)
    expect(page.get_by_text("Your messages appear here")).to_be_visible()


def test_everything_works_with_the_keyboard_alone(open_page: OpenPage, address: str) -> None:
    page = open_page(address)
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    page.keyboard.type("hello")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("there")
    page.keyboard.press("Enter")
    expect(page.get_by_role("article").locator(".message")).to_have_text("hello\nthere")
    expect(page.get_by_role("status")).to_contain_text("Intent greet")
    reached = []
    while not page.evaluate("document.activeElement.closest('#history')"):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText.trim()"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert {"Ask", "Compare", "JSON", "curl", "Clear"} <= set(reached)
    page.get_by_role("tab", name="One message").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="A file")).to_be_focused()
    expect(page.get_by_role("heading", name="Try a file of messages")).to_be_visible()


def test_the_theme_can_be_chosen_and_is_kept(open_page: OpenPage, address: str) -> None:
    page = open_page(address)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Use the dark theme").click()
    page.reload()
    page.get_by_role("button", name="Use the light theme").wait_for()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
