"""The report of an evaluation: one self-contained HTML page for readers who do not train models."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.baseline import HARDLY_BETTER
from training.evaluation import plots
from training.evaluation.answers import OUTSIDE, Records
from training.evaluation.compared import COMPARED
from training.evaluation.metrics import Metrics, text_column_of

REPORT, PLOTS = "report.html", "plots"
TEMPLATE, STYLE = (Path(__file__).with_name(name) for name in ("report.html.jinja", "report.css"))
SHOWN_MISTAKES = 30
SHOWN_CONFUSIONS = 12
SHOWN_CHANGES = 20
UNCERTAIN = 0.05
"""A difference that chance makes more often than this is called uncertain."""
FEW_ROWS = 100
MISCALIBRATED = 0.05


def write_report(folder: Path, metrics: Metrics, records: Records) -> Path:
    """Draw the plots of an evaluation into its folder and write the report.

    Args:
        folder: The folder of the evaluation.
        metrics: Its metrics (see `metrics.py`).
        records: Its predictions, one record per row (see `answers.py`).

    Returns:
        Path of the report.
    """
    pictures = folder / PLOTS
    pictures.mkdir(parents=True, exist_ok=True)
    for old in pictures.glob("*.png"):
        old.unlink()
    outputs = {
        name: {
            "metrics": found,
            "pictures": dict(_draw(pictures, metrics, number, name)),
            "mistakes": _mistakes(name, found["type"], text_column_of(metrics), records),
            "thresholds": metrics["thresholds"].get(name),
            "numbered": not all(map(plots.can_draw, found.get("labels") or found.get("entities"))),
        }
        for number, (name, found) in enumerate(metrics["outputs"].items(), start=1)
    }
    compared = metrics.get(COMPARED)
    changes = {name: _changes(name, metrics, found) for name, found in compared["outputs"].items()} if compared else {}
    page = rendered(
        TEMPLATE,
        evaluation=metrics,
        outputs=outputs,
        changes=changes,
        few_rows=FEW_ROWS,
        hardly_better=HARDLY_BETTER,
        uncertain=UNCERTAIN,
        miscalibrated=MISCALIBRATED,
        shown_confusions=SHOWN_CONFUSIONS,
        worst=plots.WORST,
    )
    report = folder / REPORT
    report.write_text(page, encoding="utf-8", errors="backslashreplace")
    return report


def rendered(template: Path, **content: Any) -> str:
    """Fill in a page's template, with the style that all pages share.

    Args:
        template: The template's file.
        **content: The names that the template uses.

    Returns:
        The page, as HTML without references to other files than reports.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters["percent"] = lambda part: "–" if part is None else f"{part:.1%}"
    style = Markup(STYLE.read_text(encoding="utf-8"))  # noqa: S704 - our own file
    return environment.from_string(template.read_text(encoding="utf-8")).render(style=style, **content)


def _draw(folder: Path, metrics: Metrics, number: int, name: str) -> Iterator[tuple[str, str]]:
    """Draw the plots of one output. Yields the kind of each plot and its PNG as a data URI."""
    found, learning = metrics["outputs"][name], metrics["learning"]

    def picture(kind: str, draw: Any, *arguments: Any) -> tuple[str, str]:
        path = folder / f"{number}-{kind}.png"
        draw(*arguments, path)
        return kind, "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()

    if learning and any(learning["outputs"][name].values()):
        yield picture("learning", plots.draw_learning, learning, name)
    if scores := found.get("labels") or found.get("entities"):
        yield picture("labels", plots.draw_labels, scores)
    if found["type"] == "category":
        thresholds = metrics["thresholds"].get(name)
        yield picture("confusion", plots.draw_confusion, found)
        yield picture("reliability", plots.draw_reliability, found["calibration"])
        # A softened confidence has another scale than the plot.
        threshold = thresholds["default"] if thresholds and thresholds.get("softness", 1.0) == 1.0 else None
        yield picture("coverage", plots.draw_coverage, found["coverage"], threshold)


def _mistakes(name: str, kind: str, text_column: str, records: Records) -> list[dict[str, Any]]:
    """Return the mistakes with the highest confidence."""
    wrong = [record for record in records if record[name] != record[f"{name}_predictions"]]
    wrong.sort(key=lambda record: -record[f"{name}_probability"])
    shown = []
    for record in wrong[:SHOWN_MISTAKES]:
        text, expected, answered = str(record[text_column]), record[name], record[f"{name}_predictions"]
        if kind == "sequence":
            expected, answered = _spans(text, expected), _spans(text, answered)
        confidence = record[f"{name}_probability"]
        shown.append({"text": text, "expected": expected, "answered": answered, "confidence": confidence})
    return shown


def _changes(name: str, metrics: Metrics, compared: Metrics) -> Metrics:
    """Return the comparison of one output for the page, with slots in place of tags."""
    shown = dict(compared)
    for side in ("fixed", "broken"):
        rows = compared[side][:SHOWN_CHANGES]
        if metrics["outputs"][name]["type"] == "sequence":
            rows = [
                {**row, **{key: _spans(str(row["text"]), row[key]) for key in ("expected", "before", "now")}}
                for row in rows
            ]
        shown[f"{side}_rows"], shown[side] = rows, len(compared[side])
    return shown


def _spans(text: str, tags: str) -> list[tuple[str, str]]:
    """Return the slots of a text as pairs of name and words."""
    spans: list[tuple[str, str]] = []
    previous = OUTSIDE
    for word, tag in zip(text.split(), tags.split(), strict=False):
        kind = tag[2:]
        if tag.startswith("I-") and previous[2:] == kind and spans:
            spans[-1] = (kind, f"{spans[-1][1]} {word}")
        elif tag != OUTSIDE:
            spans.append((kind, word))
        previous = tag
    return spans
