"""The report of a run and the index of a folder of runs, in a real browser."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.looking import overflow, violations
from tests.training.evaluation.samples import evaluate_labels, evaluate_slots
from training.__main__ import main

pytestmark = pytest.mark.integration

ROWS = [
    ("book me a flight", "fly", "stay", 0.97),
    ("احجز لي رحلة إلى عمان من فضلك في أقرب وقت ممكن", "fly", "fly", 0.8),
    ("hello", "greet", "greet", 0.5),
    ("bye", "leave", "leave", 0.4),
    ("a_very_long_word_without_spaces_" * 6, "leave", "greet", 0.6),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    evaluate_labels(folder / "intent" / "evaluation", ROWS)
    tags = [("to New York tomorrow", "O B-city I-city B-date", "O B-city O O"), ("hi", "O", "O")]
    evaluate_slots(folder / "slots" / "evaluation", tags)
    assert main(["report", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
@pytest.mark.parametrize("page", ["index.html", "intent/evaluation/report.html", "slots/evaluation/report.html"])
def test_a_page_is_accessible_and_fits(runs: Path, open_page: OpenPage, page: str, phone: bool, dark: bool) -> None:
    opened = open_page((runs / page).as_uri(), phone=phone, dark=dark)
    for details in opened.locator("details:not([open]) > summary").all():
        details.click()
    assert violations(opened) == []
    assert overflow(opened) == []


def test_the_index_leads_to_the_reports_by_keyboard(runs: Path, open_page: OpenPage) -> None:
    page = open_page((runs / "index.html").as_uri())
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{runs.name}: 2 runs")
    page.get_by_role("link", name="intent").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("intent: evaluation report")
    expect(page.get_by_text("of the predictions are correct")).to_be_visible()
    expect(page.get_by_role("row", name="book me a flight fly stay 97.0%")).to_be_visible()
