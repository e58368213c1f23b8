"""The published figures: what docs/quality.json keeps of the measured cells, so that later measurements add to them."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.quality.cells import Cell
from benchmarks.quality.sets import Task
from training.whole_files import write_whole


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the page says of one model with one number of rows.

    Attributes:
        set: The dataset.
        learn: The column to learn.
        model: The model, one of `cells.MODELS`.
        rows_per_class: Rows per class; None for all rows.
        digest: The digest of the data and the configurations, see `Cell.digest`.
        mean: Mean score of the seeds, percent.
        deviation: Standard deviation of the seeds, percentage points; None for one seed.
        seeds: Number of seeds.
        measured_on: The last day of the measurement, as in 2026-11-28.
        machine: The processors, or the GPU.
        rows: Number of rows in the sample.
        train_seconds: Median duration of the training; None if it was not measured.
        bundle_megabytes: Median size of the bundle; None without one.
        warm_milliseconds: Median duration of an answer; None if it was not measured.
        chosen: The configurations that `fit` chose, if it chose.
    """

    set: str
    learn: str
    model: str
    rows_per_class: int | None
    digest: str
    mean: float
    deviation: float | None = None
    seeds: int
    measured_on: str
    machine: str
    rows: int | None = None
    train_seconds: float | None = None
    bundle_megabytes: float | None = None
    warm_milliseconds: float | None = None
    chosen: str = ""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What the figure is about. Two figures with the same key replace each other."""
        return self.set, self.learn, self.model, self.rows_per_class or 0


def read_figures(path: Path) -> list[Figure]:
    """Read the published figures; none if the file does not exist.

    Raises:
        msgspec.DecodeError: The file is not what `write_figures` writes.
    """
    return msgspec.json.decode(path.read_bytes(), type=list[Figure]) if path.exists() else []


def write_figures(path: Path, figures: Iterable[Figure]) -> None:
    """Write figures in a file, one in each line."""
    lines = [msgspec.json.encode(figure).decode() for figure in sorted(figures, key=lambda figure: figure.key)]
    write_whole(path, ("[\n" + ",\n".join(lines) + "\n]\n").encode())


def with_cells(figures: Iterable[Figure], cells: Sequence[dict[str, Any]]) -> list[Figure]:
    """Return figures in which measured cells replace older figures of the same model and number of rows.

    Args:
        figures: The published figures.
        cells: The results of cells (see `cells.py`).
    """
    measured = [_figure(list(group)) for _, group in groupby(sorted(cells, key=_place), key=_place)]
    return list({figure.key: figure for figure in [*figures, *measured]}.values())


def valid(figures: Iterable[Figure], tasks: Sequence[Task]) -> list[Figure]:
    """Return the figures of the tasks whose data and configurations have not changed."""
    known = {(task.set_name, task.learn): task for task in tasks}
    return [
        figure
        for figure in figures
        if (task := known.get((figure.set, figure.learn)))
        and Cell(task, figure.model, figure.rows_per_class, 0).digest() == figure.digest
    ]


def _place(cell: dict[str, Any]) -> tuple[str, str, str, int]:
    return cell["set"], cell["learn"], cell["model"], cell["rows_per_class"] or 0


def _figure(cells: list[dict[str, Any]]) -> Figure:
    """Return the figure of the seeds of a cell."""
    scores = [100 * cell["score"] for cell in cells]
    last = max(cells, key=lambda cell: str(cell["measured_on"]))
    return Figure(
        set=last["set"],
        learn=last["learn"],
        model=last["model"],
        rows_per_class=last["rows_per_class"],
        digest=last["digest"],
        mean=round(float(np.mean(scores)), 2),
        deviation=round(float(np.std(scores, ddof=1)), 2) if len(scores) > 1 else None,
        seeds=len(scores),
        measured_on=last["measured_on"],
        machine=last["machine"],
        rows=last["rows"],
        train_seconds=_median(cell["train_seconds"] for cell in cells),
        bundle_megabytes=_median(cell["bundle_bytes"] and cell["bundle_bytes"] / 1e6 for cell in cells),
        warm_milliseconds=_median(cell["warm_milliseconds"] for cell in cells),
        chosen=", ".join(sorted({cell["chosen"] for cell in cells if cell["chosen"]})),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.median(known)), 3) if known else None
