"""The report of a run, the index of a folder of runs and the report of many bots, in a real browser."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.looking import overflow, violations
from tests.training.evaluation.samples import evaluate_labels, evaluate_slots
from training.__main__ import main
from training.many.record import Record, Score, write_record
from training.many.report import write_reports

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
    _write_many(folder / "many")
    return folder


def _write_many(folder: Path) -> None:
    """Write the report of a manifest's entries, in every state."""
    report = str(folder.parent / "intent" / "evaluation" / "report.html")
    scores = {"intent": Score("accuracy", 0.93, 0.9, report), "slots": Score("f1", 0.81, None, report)}
    measured = {"rows": 24, "languages": ["ar", "en"], "scores": scores, "bundle_bytes": 15_400}
    bots = [
        Record("hotel", "", ["train"], [], state="finished", attempts=2, seconds=61.5, **measured),
        Record("a-bot-with-a-very-long-name-" * 2, "", ["fit"], [], state="failed", attempts=3, reason="killed " * 30),
        Record("shop", "", ["train"], [], state="running", attempts=1),
        Record("bank", "", ["train"], []),
    ]
    for bot in bots:
        (folder / bot.name).mkdir(parents=True)
        write_record(folder / bot.name, bot)
    write_reports(folder, [folder / bot.name for bot in bots])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
@pytest.mark.parametrize(
    "page", ["index.html", "intent/evaluation/report.html", "slots/evaluation/report.html", "many/report.html"]
)
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


def test_the_report_of_many_bots_says_what_failed_and_leads_to_each_report(runs: Path, open_page: OpenPage) -> None:
    page = open_page((runs / "many" / "report.html").as_uri())
    expect(page.get_by_role("heading", level=1)).to_have_text("many: 4 bots")
    expect(page.get_by_text("1 finished, 1 failed, 2 not ended yet.")).to_be_visible()
    expect(
        page.get_by_role("row", name="hotel finished 24 ar, en intent 93.0% accuracy 90.0% 0.02 MB 62 2")
    ).to_be_visible()
    page.get_by_role("link", name="slots").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("intent: evaluation report")
