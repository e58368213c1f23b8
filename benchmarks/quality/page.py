"""Format the measured cells as the tables of docs/quality.md."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from benchmarks.quality.cells import MODELS, SHOWN
from benchmarks.quality.sets import Task
from benchmarks.report import table

NOT_MEASURED = "not measured"
Found = Sequence[dict[str, Any]]


def tables(tasks: Iterable[Task], sizes: Sequence[int | None], found: Found) -> list[str]:
    """Return the lines of the page: scores and costs for each dataset and column to learn.

    Args:
        tasks: The datasets and columns to learn.
        sizes: Rows per class; None for all rows.
        found: The results of the measured cells (see `cells.py`).
    """
    lines: list[str] = []
    for task in tasks:
        own = [each for each in found if (each["set"], each["learn"]) == (task.set_name, task.learn)]
        lines += _of_task(task, sizes, own)
    return lines[:-1]


def _of_task(task: Task, sizes: Sequence[int | None], found: Found) -> list[str]:
    measure = "F1 of whole slots" if task.learn == "slots" else "accuracy"
    kind = "slot type" if task.learn == "slots" else task.learn
    models = MODELS[task.learn]
    scores = [[_named(model), *(_score(_cells(found, model, size)) for size in sizes)] for model in models]
    costs = [cost for model in models if (cost := _costs(model, [each for each in found if each["model"] == model]))]
    header = [f"{size} rows per {kind}" if size else "all rows" for size in sizes]
    lines = [f"### {task.set_name}: {task.learn}", "", f"Percent {measure}:", "", *table(["", *header], scores), ""]
    if costs:
        names = ["", "rows", "training, s", "bundle, MB", "warm answer, ms", "chosen"]
        lines += ["Cost of each model, for its largest measured sample:", "", *table(names, costs), ""]
    return lines


def _named(model: str) -> str:
    return SHOWN.get(model, f"`{model}`")


def _cells(found: Found, model: str, size: int | None) -> Found:
    return [each for each in found if (each["model"], each["rows_per_class"]) == (model, size)]


def _score(cells: Found) -> str:
    """Return the mean and the standard deviation in percent, and the number of seeds."""
    if not cells:
        return NOT_MEASURED
    scores = [100 * each["score"] for each in cells]
    if len(scores) == 1:
        return f"{scores[0]:.1f} (1 seed)"
    return f"{np.mean(scores):.1f} ± {np.std(scores, ddof=1):.1f} ({len(scores)} seeds)"


def _costs(model: str, cells: Found) -> list[str]:
    if not cells:
        return []
    most = max(each["rows"] for each in cells)
    cells = [each for each in cells if each["rows"] == most]
    chosen = sorted({each["chosen"] for each in cells if each["chosen"]})
    return [
        _named(model),
        str(most),
        _median([each["train_seconds"] for each in cells], 1),
        _median([each["bundle_bytes"] / 1e6 for each in cells if each["bundle_bytes"]], 1),
        _median([each["warm_milliseconds"] for each in cells if each["warm_milliseconds"]], 2),
        ", ".join(chosen),
    ]


def _median(values: Sequence[float], digits: int) -> str:
    return f"{np.median(values):.{digits}f}" if values else ""
