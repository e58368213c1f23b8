"""The playground's tab for a file of messages, in a real browser."""

import csv
import json
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import OpenPage

ARABIC = "أريد تغيير حجزي رقم CD61LP إلى موعد آخر، يوم الأحد"

pytestmark = pytest.mark.integration


def test_a_file_of_messages_is_answered_and_can_be_downloaded(
    open_page: OpenPage, address: str, tmp_path: Path
) -> None:
    page = open_page(address)
    page.get_by_role("tab", name="A file").click()
    rows = [("hello there, good morning", "greet"), (ARABIC, "change_booking"), ('say "thanks",\nplease', "greet")]
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=";").writerows([("text", "intent"), *rows])
    page.set_input_files("#file", tmp_path / "rows.csv")
    page.get_by_role("button", name="Ask for all 3").click()
    expect(page.locator("#table-rows tr")).to_have_count(3)
    expect(page.locator("#summary")).to_contain_text("2 of 3 as expected, 66.7%")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        answered = list(csv.DictReader(file))
    assert [(row["text"], row["intent"]) for row in answered] == rows
    assert [row["answer_intent"] for row in answered][:2] == ["greet", "change_booking"]
    assert "booking_code=CD61LP" in answered[1]["answer_slots"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download JSONL").click()
    lines = [json.loads(line) for line in download.value.path().read_text("utf-8").splitlines()]
    assert [(line["row"], line["expected"], line["text"]) for line in lines] == [
        (number + 1, intent, text) for number, (text, intent) in enumerate(rows)
    ]


def test_a_text_file_has_one_message_a_line(open_page: OpenPage, address: str) -> None:
    page = open_page(address)
    page.get_by_role("tab", name="A file").click()
    content = "hello, you\r\n\r\nau revoir, à bientôt\r\n".encode("cp1252")
    page.set_input_files("#file", {"name": "a.txt", "mimeType": "text/plain", "buffer": content})
    page.get_by_role("button", name="Ask for all 2").click()
    expect(page.locator("#table-rows td.text")).to_have_text(["hello, you", "au revoir, à bientôt"])
    page.set_input_files("#file", {"name": "b.csv", "mimeType": "text/csv", "buffer": b"hello,greet\nbye,goodbye\n"})
    expect(page.get_by_role("checkbox", name="The first row has the names")).not_to_be_checked()
    expect(page.get_by_role("button", name="Ask for all 2")).to_be_visible()


def test_a_message_that_api_gateway_throttles_is_sent_again(open_page: OpenPage, address: str) -> None:
    page = open_page(address, refused=("/understand",))
    throttled: list[str] = []

    def throttle_the_first(route: Route) -> None:
        if throttled:
            route.continue_()
        else:
            throttled.append(route.request.url)
            route.fulfill(status=429, json={"message": "Too Many Requests"})  # as API Gateway answers

    page.route("**/understand", throttle_the_first)
    page.get_by_role("tab", name="A file").click()
    page.set_input_files("#file", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"hello\ngoodbye"})
    page.get_by_role("button", name="Ask for all 2").click()
    expect(page.locator("#table-rows td.text")).to_have_text(["hello", "goodbye"])
    expect(page.locator("#summary")).to_contain_text("2 answered")
    assert len(throttled) == 1
