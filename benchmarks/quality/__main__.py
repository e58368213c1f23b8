"""Measure the accuracy of every built-in configuration on the datasets of a folder, and write docs/quality.md.

Each subfolder with train.csv and valid.csv is a dataset. Its columns determine what can be learned: `text` with
`intent` (labels), `slots` (a BIO tag for each word) or `language`. Training rows are sampled from train.csv. The rows
of valid.csv are only for the test: never choose anything by these figures.

Each cell (dataset, model, number of rows, seed) is stored as a file in build/quality. After an interruption, re-run the
same command to resume. To measure a cell again, delete its file. docs/quality.json keeps what was published before: new
cells replace its figures of the same model and number of rows. The page marks what was not measured.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.quality.cells import MODELS, Cell, kept, kept_results, measure
from benchmarks.quality.page import tables
from benchmarks.quality.published import Figure, read_figures, valid, with_cells, write_figures
from benchmarks.quality.sets import Task, find_tasks
from benchmarks.report import ROOT, machine, say, write_section

PART = "quality"
PAGE = ROOT / "docs" / "quality.md"
KEPT = ROOT / "build" / "quality"
ROWS: tuple[int | None, ...] = (5, 10, 20, 50, None)
SEEDS = 3
ALL = "all"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the requested cells that are not stored yet, write the page, and return the exit status."""
    options = _parser().parse_args(arguments)
    tasks = find_tasks(options.data) if options.data.is_dir() else []
    if not tasks:
        say(f"error: {options.data} has no subfolder with train.csv, valid.csv and the expected columns: see --help.")
        return 1
    _write(options, tasks)  # fail now, not after hours of work, if the page cannot be written
    failed = []
    try:
        for cell in [] if options.report else _asked(tasks, options):
            failed += [] if _is_measured(cell, options.kept) else [cell.name]
    finally:  # an interrupted run reports its finished cells
        _write(options, tasks)
        say(f"Wrote {options.page}.")
    if failed:
        say(f"error: these cells failed and are not in the tables: {', '.join(failed)}")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{PART}",
        description=__doc__,
        epilog="The tables go into docs/quality.md.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    named = sorted({model for models in MODELS.values() for model in models})
    made.add_argument("--data", type=Path, required=True, help="folder of the datasets")
    made.add_argument(
        "--rows", nargs="+", type=_size, default=ROWS, help="rows per class, or `all` (default: 5 10 20 50 all)"
    )
    made.add_argument("--seeds", type=int, default=SEEDS, help="number of samples of each size (default: %(default)s)")
    made.add_argument("--models", nargs="+", choices=named, help="models to measure (default: all)", metavar="MODEL")
    made.add_argument(
        "--only", nargs="+", metavar="SET[:WHAT]", help="datasets, such as `demo` or `demo:slots` (default: all)"
    )
    made.add_argument("--report", action="store_true", help="do not measure; write the page from the stored cells")
    made.add_argument("--page", type=Path, default=PAGE, help="page to write (default: %(default)s)")
    made.add_argument("--kept", type=Path, default=KEPT, help="folder of the stored cells (default: %(default)s)")
    return made


def _size(given: str) -> int | None:
    """Parse a number of rows per class; None means all rows."""
    if given == ALL:
        return None
    if not given.isdecimal() or (number := int(given)) not in ROWS:
        raise argparse.ArgumentTypeError(f"expected one of 5, 10, 20, 50 and all, got {given!r}")
    return number


def _asked(tasks: Sequence[Task], options: argparse.Namespace) -> Iterator[Cell]:
    """Yield the requested cells, the fastest first."""
    for size in options.rows:
        for seed in range(options.seeds):
            for task in tasks:
                if options.only and not {task.set_name, f"{task.set_name}:{task.learn}"} & set(options.only):
                    continue
                for model in MODELS[task.learn]:
                    if (size is not None or seed == 0) and (options.models is None or model in options.models):
                        yield Cell(task, model, size, seed)


def _write(options: argparse.Namespace, tasks: Sequence[Task]) -> None:
    path = options.page.with_suffix(".json")
    figures = with_cells(read_figures(path), kept_results(tasks, options.kept))
    shown = valid(figures, tasks)
    write_section(options.page, PART, [_provenance(shown), "", *tables(tasks, ROWS, shown)])
    write_figures(path, figures)


def _is_measured(cell: Cell, folder: Path) -> bool:
    """Measure a cell unless its result is stored. If that fails, print why and return False."""
    if kept(cell, folder):
        return True
    say(f"== {cell.name}")
    try:
        found = measure(cell, folder)
    except Exception as error:  # a failing cell must not stop the others
        say(f"{cell.name} failed: {type(error).__name__}: {error}")
        return False
    say(f"== {cell.name}: {found['score']:.1%}")
    return True


def _provenance(figures: Sequence[Figure]) -> str:
    """Return the command, the number of cells, the dates and the machines of the measurement, as a sentence."""
    days = sorted({figure.measured_on for figure in figures}) or [datetime.now(UTC).date().isoformat()]
    machines = sorted({figure.machine for figure in figures}) or [machine()]
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    command, cells = f"make bench PART={PART} DATA=folder", sum(figure.seeds for figure in figures)
    return f"Measured by `{command}`: {cells} cells, on {span}, {'; '.join(machines)}."


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    raise SystemExit(main())
