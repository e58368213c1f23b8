"""Format the published figures as the tables of docs/quality.md."""

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.quality.cells import MODELS, SHOWN
from benchmarks.quality.published import Figure
from benchmarks.quality.sets import Task
from benchmarks.report import table

NOT_MEASURED = "not measured"


def tables(tasks: Iterable[Task], sizes: Sequence[int | None], figures: Sequence[Figure]) -> list[str]:
    """Return the lines of the page: scores and costs for each dataset and column to learn.

    Args:
        tasks: The datasets and columns to learn.
        sizes: Rows per class; None for all rows.
        figures: The figures to show.
    """
    lines: list[str] = []
    for task in tasks:
        lines += _of_task(task, sizes, {figure.key: figure for figure in figures})
    return lines[:-1]


def _of_task(task: Task, sizes: Sequence[int | None], figures: Mapping[tuple[str, str, str, int], Figure]) -> list[str]:
    measure = "F1 of whole slots" if task.learn == "slots" else "accuracy"
    kind = "slot type" if task.learn == "slots" else task.learn
    found = {
        model: [figures.get((task.set_name, task.learn, model, size or 0)) for size in sizes]
        for model in MODELS[task.learn]
    }
    scores = [[_named(model), *map(_score, row)] for model, row in found.items()]
    costs = [_costs(figure) for row in found.values() if (figure := _largest(row))]
    header = [f"{size} rows per {kind}" if size else "all rows" for size in sizes]
    lines = [f"### {task.set_name}: {task.learn}", "", f"Percent {measure}:", "", *table(["", *header], scores), ""]
    if costs:
        names = ["", "rows", "training, s", "bundle, MB", "warm answer, ms", "chosen"]
        lines += ["Cost of each model, for its largest measured sample:", "", *table(names, costs), ""]
    return lines


def _named(model: str) -> str:
    return SHOWN.get(model, f"`{model}`")


def _score(figure: Figure | None) -> str:
    """Return the mean and the standard deviation in percent, and the number of seeds."""
    if figure is None:
        return NOT_MEASURED
    if figure.deviation is None:
        return f"{figure.mean:.1f} (1 seed)"
    return f"{figure.mean:.1f} ± {figure.deviation:.1f} ({figure.seeds} seeds)"


def _largest(figures: Sequence[Figure | None]) -> Figure | None:
    """Return the figure of the largest sample whose training was timed."""
    timed = [figure for figure in figures if figure and figure.train_seconds is not None and figure.rows]
    return max(timed, key=lambda figure: figure.rows or 0, default=None)


def _costs(figure: Figure) -> list[str]:
    return [
        _named(figure.model),
        str(figure.rows),
        _rounded(figure.train_seconds, 1),
        _rounded(figure.bundle_megabytes, 1),
        _rounded(figure.warm_milliseconds, 2),
        figure.chosen,
    ]


def _rounded(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
