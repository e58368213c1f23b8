"""The report of a search: one self-contained HTML page with the trials as a chart and as a table."""

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.evaluation.plots import BLUE, DOTS_PER_INCH, GREEN, GREY, WIDTH, drawing_style, new_figure
from training.evaluation.report import UNCERTAIN, rendered
from training.search.results import COMPLETE, FAILED, PRUNED, REPORT, Results, TrialResult
from training.whole_files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TEMPLATE = Path(__file__).with_name("report.html.jinja")
COLUMNS = 3
"""Number of charts beside each other."""
HIGH = 2.5
"""Height of a chart in inches."""
WIDE_RANGE = 20.0
"""A chart whose largest value is this many times its smallest one gets a logarithmic axis."""
COLORS = {COMPLETE: BLUE, PRUNED: GREY}


def write_search_report(folder: Path, results: Results) -> Path:
    """Write the report of a search, finished or not.

    Args:
        folder: The search's folder.
        results: Its trials.

    Returns:
        Path of the page.
    """
    names = list(dict.fromkeys(name for trial in results.trials for name in trial.parameters))
    best = results.best
    page = rendered(
        TEMPLATE,
        name=folder.resolve().name,
        results=results,
        names=names,
        rows=[_row(results, trial, names) for trial in results.ranked],
        best=best,
        own=results.own,
        luck=results.luck(best) if best and best.number else None,
        uncertain=UNCERTAIN,
        states={state: sum(each.state == state for each in results.trials) for state in (COMPLETE, PRUNED, FAILED)},
        minutes=sum(each.seconds for each in results.trials) / 60,
        picture=_picture(results, names) if best else None,
    )
    write_whole(folder / REPORT, page.encode("utf-8", errors="backslashreplace"))
    return folder / REPORT


def _row(results: Results, trial: TrialResult, names: list[str]) -> dict[str, Any]:
    """Return what the table shows of a trial."""
    own = results.own
    change = trial.score - own.score if own and own.score is not None and trial.score is not None else None
    return {
        "number": trial.number,
        "score": results.shown(trial.score),
        "change": None if change is None or trial.number == 0 or trial.state != COMPLETE else change,
        "values": [_shown(trial.parameters[name]) if name in trial.parameters else "" for name in names],
        "seconds": trial.seconds,
        "state": trial.state,
        "error": trial.error,
    }


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _picture(results: Results, names: list[str]) -> str:
    """Draw the scores by trial and by the values of each parameter. Returns a PNG as a data URI."""
    from io import BytesIO

    scored = [trial for trial in results.trials if trial.score is not None]
    lines = -(-(len(names) + 1) // COLUMNS)
    with drawing_style():
        figure = new_figure(WIDTH, HIGH * lines)
        axes = figure.subplots(lines, COLUMNS, squeeze=False, sharey=True).flat
        for each, name in zip(axes, ["trial", *names], strict=False):
            _draw(each, results, scored, name)
        for unused in list(figure.axes)[len(names) + 1 :]:
            unused.set_visible(False)
        written = BytesIO()
        figure.savefig(written, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(written.getvalue()).decode()


def _draw(axes: "Axes", results: Results, scored: list[TrialResult], name: str) -> None:
    """Draw the scores of trials by their number, or by the value of a parameter."""
    from matplotlib.ticker import MaxNLocator

    pairs = [(trial, trial.number if name == "trial" else trial.parameters.get(name)) for trial in scored]
    numbers = [pair for pair in pairs if _is_number(pair[1])]
    # The configuration itself may have a text, such as `auto`, where the others have numbers.
    pairs = numbers or [pair for pair in pairs if pair[1] is not None]
    points = [trial for trial, _ in pairs]
    values: list[Any] = [value for _, value in pairs]
    if not numbers:
        values = [_shown(value) for value in values]  # a category
        axes.tick_params(axis="x", labelsize=7, labelrotation=20)
    elif name != "trial" and min(values) > 0 and max(values) / min(values) >= WIDE_RANGE:
        axes.set_xscale("log")
    scores = [trial.score or 0.0 for trial in points]
    axes.scatter(values, scores, c=[COLORS[trial.state] for trial in points], s=18)
    if (best := results.best) and best in points:
        position = points.index(best)
        axes.scatter(values[position : position + 1], scores[position : position + 1], c=GREEN, s=60, marker="*")
    if results.own and results.own.score is not None:
        axes.axhline(results.own.score, color=GREY, linestyle=":", linewidth=1)
    axes.set_title(name, fontsize=8.5)
    if name == "trial":
        axes.set_ylabel(results.metric)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
