"""The review in a real browser: the keyboard alone, undo, resuming, slots, Arabic, phones, both themes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Page

from export.rows import read_rows
from handler.captured import CapturedEntity, CapturedMessage, CapturedVerdict
from tests.browser.conftest import OpenPage
from tests.browser.looking import overflow, violations
from tests.training.review.samples import captured
from tests.training.review.test_rows import DATASET
from training.review.captures import read_captures
from training.review.desk import Desk
from training.review.messages import message_desk
from training.review.rows import row_desk
from training.review.server import ReviewServer

MIDDLE_OF_LAST_WORD = """() => {
    const range = document.createRange(), text = document.getElementById("text").lastChild;
    range.setStart(text, text.data.length - 2);
    range.setEnd(text, text.data.length);
    const box = range.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
}"""

pytestmark = pytest.mark.integration


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ReviewServer]:
    found = read_captures(str(captured(tmp_path / "captures")))
    (tmp_path / "data.csv").write_text(DATASET, encoding="utf-8")
    desks = {
        "messages": message_desk(found.messages, tmp_path / "reviewed.csv", known=["greeting"]),
        "rows": row_desk(tmp_path / "data.csv", tmp_path / "corrected.csv"),
    }
    with serving(desks) as running:
        yield running


@contextmanager
def serving(desks: dict[str, Desk]) -> Iterator[ReviewServer]:
    with ReviewServer(desks) as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()
    for desk in desks.values():
        desk.close()


def reviewed(folder: Path) -> dict[str, tuple[str, str, str]]:
    """Return the intent, slots and language of each text in the dataset."""
    rows: list[dict[Any, Any]] = read_rows(folder / "reviewed.csv").to_dict("records")
    return {row["text"]: (row["intent"], row["slots"], row["language"]) for row in rows}


def shows(page: Page, text: str, count: str) -> None:
    """Wait until the page shows a message and the progress."""
    page.locator("#text", has_text=text).wait_for()
    page.locator("#count", has_text=count).wait_for()


def pressed(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_the_keyboard_alone_reviews_everything(open_page: OpenPage, server: ReviewServer, tmp_path: Path) -> None:
    page = open_page(server.address)
    shows(page, "book a flight", "0 of 6 decided")
    page.keyboard.press("Shift+Enter")  # the whole group
    shows(page, "weather", "3 of 6 decided")
    pressed(page, "2", "Enter")  # the second guess
    shows(page, "القاهرة", "4 of 6 decided")
    page.keyboard.press("i")
    page.keyboard.type("room request")  # a new intent
    pressed(page, "Enter", "Enter")
    shows(page, "ok", "5 of 6 decided")
    page.keyboard.press("i")
    page.keyboard.type("gree")  # an intent of the dataset
    pressed(page, "Enter", "l")
    page.keyboard.type("xx")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Done").wait_for()
    rows = reviewed(tmp_path)
    assert rows["book me a flight to Oslo please"] == ("book_flight", "O O O O O B-destination O", "en")
    assert rows["what is the weather in Cairo"][0] == "book_hotel"
    assert rows["أريد حجز غرفة في القاهرة"] == ("room request", "O O O O O", "ar")
    assert rows["🙂 ok"] == ("greeting", "O O", "xx")


def test_undo_skip_and_delete(open_page: OpenPage, server: ReviewServer, tmp_path: Path) -> None:
    page = open_page(server.address)
    shows(page, "Rome", "0 of 6")
    page.keyboard.press("Enter")
    shows(page, "Paris", "1 of 6")
    page.keyboard.press("u")
    shows(page, "Rome", "0 of 6")
    assert reviewed_is_empty(tmp_path)
    page.keyboard.press("d")
    shows(page, "Paris", "1 of 6")
    page.keyboard.press("j")
    shows(page, "Oslo", "1 of 6 decided, 1 skipped")
    for text, count in (("weather", 2), ("القاهرة", 3), ("ok", 4)):
        page.keyboard.press("Enter")
        shows(page, text, f"{count} of 6")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Review 1 skipped").click()
    shows(page, "Paris", "5 of 6")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Done").wait_for()
    assert "book a flight to Rome" not in reviewed(tmp_path)
    assert len(reviewed(tmp_path)) == 5


def reviewed_is_empty(folder: Path) -> bool:
    return len((folder / "reviewed.csv").read_text(encoding="utf-8").splitlines()) == 1


def test_a_reload_keeps_all_decisions(open_page: OpenPage, server: ReviewServer) -> None:
    page = open_page(server.address)
    shows(page, "Rome", "0 of 6")
    pressed(page, "Enter")
    shows(page, "Paris", "1 of 6")
    page.reload()
    shows(page, "Paris", "1 of 6")
    page.keyboard.press("u")
    shows(page, "Rome", "0 of 6")


def test_words_are_marked_with_arrow_keys_in_the_direction_of_the_text(
    open_page: OpenPage, server: ReviewServer, tmp_path: Path
) -> None:
    page = open_page(server.address, phone=True)
    shows(page, "Rome", "0 of 6")
    page.keyboard.press("Shift+Enter")
    shows(page, "weather", "3 of 6")
    pressed(page, "Enter")
    shows(page, "القاهرة", "4 of 6")
    pressed(page, "s", "ArrowLeft", "Shift+ArrowLeft")
    assert page.locator("#text .picked").inner_text() == "حجز غرفة"
    assert violations(page) == []
    page.keyboard.press("Enter")
    page.keyboard.type("room")
    assert violations(page) == []
    assert overflow(page) == []
    page.keyboard.press("Enter")
    assert page.locator("#text mark").get_attribute("data-name") == "room"
    page.keyboard.press("Enter")
    shows(page, "ok", "5 of 6")
    assert reviewed(tmp_path)["أريد حجز غرفة في القاهرة"][1] == "O B-room I-room O O"


def test_selected_text_becomes_a_slot_and_an_emoji_does_not_shift_it(
    open_page: OpenPage, server: ReviewServer, tmp_path: Path
) -> None:
    page = open_page(server.address)
    shows(page, "Rome", "0 of 6")
    pressed(page, "Shift+Enter")
    for text, count in (("weather", 3), ("القاهرة", 4), ("ok", 5)):
        shows(page, text, f"{count} of 6")
        if text != "ok":
            page.keyboard.press("Enter")
    page.mouse.dblclick(*page.evaluate(MIDDLE_OF_LAST_WORD))
    page.get_by_role("button", name="Mark a slot").click()
    page.get_by_role("combobox", name="Name of the slot").fill("answer")
    page.get_by_role("option", name="New slot: answer").click()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Done").wait_for()
    assert reviewed(tmp_path)["🙂 ok"][1] == "O B-answer"


def test_a_slot_can_be_removed(open_page: OpenPage, server: ReviewServer, tmp_path: Path) -> None:
    page = open_page(server.address)
    shows(page, "Rome", "0 of 6")
    page.get_by_role("button", name="Remove destination Rome").click()
    page.get_by_role("button", name="Accept Enter").click()
    shows(page, "Paris", "1 of 6")
    assert reviewed(tmp_path)["book a flight to Rome"][1] == "O O O O O"


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_is_accessible_in_all_its_states(
    open_page: OpenPage, server: ReviewServer, dark: bool, phone: bool
) -> None:
    page = open_page(server.address, dark=dark, phone=phone)
    shows(page, "Rome", "0 of 6")
    found = violations(page) + overflow(page)
    pressed(page, "?", "i")
    page.keyboard.type("book")
    page.get_by_role("option", name="New intent: book", exact=True).wait_for()
    found += violations(page) + overflow(page)
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Training rows").click()
    shows(page, "fly to Oslo tomorrow", "0 of 2")
    found += violations(page) + overflow(page)
    page.keyboard.press("Shift+Enter")
    page.get_by_role("heading", name="Done").wait_for()
    assert found + violations(page) + overflow(page) == []


def test_rows_are_corrected_in_the_second_tab(open_page: OpenPage, server: ReviewServer, tmp_path: Path) -> None:
    page = open_page(server.address)
    shows(page, "Rome", "0 of 6")
    page.get_by_role("tab", name="Messages").focus()
    page.keyboard.press("ArrowRight")
    shows(page, "fly to Oslo tomorrow", "0 of 2")
    page.get_by_role("button", name="All 2 as fly").click()
    page.get_by_role("heading", name="Done").wait_for()
    rows = read_rows(tmp_path / "corrected.csv").to_dict("records")
    assert [row["intent"] for row in rows] == ["fly", "fly", "greet", "greet", "greet"]


def test_single_keys_can_be_turned_off(open_page: OpenPage, server: ReviewServer) -> None:
    page = open_page(server.address)
    shows(page, "Rome", "0 of 6")
    page.get_by_role("button", name="Keys").click()
    page.get_by_role("checkbox").uncheck()
    page.locator("#text").focus()
    pressed(page, "d", "j", "u")
    page.keyboard.press("Enter")
    shows(page, "Paris", "1 of 6 decided")


def test_markup_in_a_message_or_a_label_is_text(open_page: OpenPage, tmp_path: Path) -> None:
    markup = "<img src=x onerror=alert(1)><b>hi</b> & <script>alert(2)</script>"
    models = {"intent": CapturedVerdict("a", "intent", "<b>fly</b>", 0.4, [("<b>fly</b>", 0.4)])}
    entities = [CapturedEntity(0, 4, "<i>slot</i>", "<img", 0.9)]
    messages = [
        CapturedMessage(name, "", text, "sample", "", models, "<u>", entities)
        for name, text in (("a", markup), ("b", markup + "!"))
    ]
    with serving({"messages": message_desk(messages, tmp_path / "reviewed.csv")}) as running:
        page = open_page(running.address)
        shows(page, markup, "0 of 2")
        assert page.locator("main").locator("img, b, i, u, script").count() == 0
        page.keyboard.press("i")
        page.keyboard.type("<b>")
        page.get_by_role("option", name="New intent: <b>").wait_for()
        assert page.locator("main").locator("img, b, i, u, script").count() == 0


def test_a_failure_is_shown_and_the_message_stays(open_page: OpenPage, server: ReviewServer, tmp_path: Path) -> None:
    page = open_page(server.address, refused=("decide",))
    shows(page, "Rome", "0 of 6")
    (tmp_path / "reviewed.csv").mkdir()
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text="Cannot write").wait_for()
    shows(page, "Rome", "0 of 6")
    (tmp_path / "reviewed.csv").rmdir()
    page.keyboard.press("Enter")
    shows(page, "Paris", "1 of 6")
