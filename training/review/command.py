"""The `ludwig-serverless review` command."""

import argparse
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from export.console import say
from handler.command_line import add_force
from training.errors import ReviewError

if TYPE_CHECKING:
    from training.review.desk import Desk

DESCRIPTION = """
Turn messages that the bot was unsure about into training data, in a page that opens in your browser. Similar messages
are together, and the model's guess is preselected: Enter accepts it. With --dataset, a second tab shows rows of your
dataset that are probably wrong: the surest mistakes of --run, and similar texts with different intents.
"""
EPILOG = """
keys: Enter accept, Shift+Enter accept the whole group, 1-9 choose, I find or create an intent, S mark the selected text
as a slot, J skip, D delete, U undo, ? show the keys.

Each decision is saved before the next message appears: in OUTPUT.journal, and in the dataset OUTPUT. Stop with Ctrl-C,
and run the same command to resume. The page is only on this machine, and its address has a secret.

examples:
  ludwig-serverless review captured --output reviewed.csv
  ludwig-serverless review s3://my-bucket/captured --dataset data.csv     (offers the dataset's intents, too)
  ludwig-serverless review captured --hexabot samples.csv                 (also writes Hexabot's CSV of samples)
  ludwig-serverless review --dataset data.csv --run runs/intent --run runs/slots      (writes data-corrected.csv)

Next: train on both:
  ludwig-serverless import data.csv reviewed.csv --output data-2.csv
  ludwig-serverless fit --config intent-light --dataset data-2.csv --output runs/intent-2
"""
NOTHING = "There is nothing to review: give a folder or S3 prefix of captured messages, or --dataset FILE, or both."


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `review` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument(
        "captured",
        nargs="?",
        metavar="CAPTURED",
        help="captured messages: the folder, file or s3://bucket/prefix that the service writes them to",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("reviewed.csv"),
        help="the dataset of reviewed messages: .csv, .jsonl or .parquet (default: %(default)s)",
    )
    parser.add_argument("--hexabot", type=Path, metavar="FILE.csv", help="also write them as Hexabot's CSV of samples")
    parser.add_argument("--dataset", type=Path, metavar="FILE", help="the training data; it is never changed")
    parser.add_argument(
        "--run",
        action="append",
        default=[],
        type=Path,
        dest="runs",
        metavar="RUN",
        help="a run of `fit` on that dataset, for its mistakes; may be repeated",
    )
    parser.add_argument(
        "--corrected", type=Path, metavar="FILE", help="the corrected dataset (default: DATASET-corrected.csv)"
    )
    parser.add_argument("--newest", type=int, default=2000, help="the most messages to review (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="the local port (default: a free one)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    add_force(parser, "replace output files that a review did not write")
    parser.set_defaults(run=_review)


def desks_of(options: argparse.Namespace) -> "dict[str, Desk]":
    """Return the desk of each tab, by the tab's name.

    Args:
        options: The parsed options.

    Raises:
        ReviewError: There is nothing to review, or an output would replace another file.
        TrainingError: A file cannot be read.
    """
    if options.runs and options.dataset is None:
        raise ReviewError("--run needs the dataset that it was trained on: add --dataset FILE.")
    if options.captured is None and options.dataset is None:
        raise ReviewError(NOTHING)
    if options.newest < 1:
        raise ReviewError(f"--newest is {options.newest}; expected at least 1.")
    desks: dict[str, Desk] = {}
    if options.dataset is not None:
        desks["rows"] = _row_desk(options)
    if options.captured is not None:
        desks = {"messages": _message_desk(options), **desks}
    return desks


def _message_desk(options: argparse.Namespace) -> "Desk":
    from export.cells import cell
    from export.rows import read_rows
    from training.imports.examples import INTENT
    from training.review.captures import read_captures
    from training.review.messages import message_desk

    _check_output(options.output, options, "--output")
    if options.hexabot is not None and (options.hexabot.suffix.lower() != ".csv" or options.hexabot == options.output):
        raise ReviewError(f"--hexabot is {options.hexabot}; expected a file of its own that ends in .csv.")
    found = read_captures(options.captured)
    for note in found.unreadable:
        say(note)
    say(f"Read {len(found.messages)} messages from {found.files} files.")
    rows = read_rows(options.dataset) if options.dataset is not None else None
    known = [cell(value) for value in rows[INTENT]] if rows is not None and INTENT in rows else []
    return message_desk(found.messages, options.output, known=known, hexabot=options.hexabot, newest=options.newest)


def _row_desk(options: argparse.Namespace) -> "Desk":
    from training.review.rows import row_desk

    dataset: Path = options.dataset
    ending = dataset.suffix.lower() if dataset.suffix.lower() in (".csv", ".jsonl", ".parquet") else ".csv"
    corrected = options.corrected or dataset.with_name(f"{dataset.stem}-corrected{ending}")
    if corrected.resolve() in (dataset.resolve(), options.output.resolve()):
        raise ReviewError(f"--corrected is {corrected}, which is another file of this review: choose another name.")
    _check_output(corrected, options, "--corrected")
    return row_desk(dataset, corrected, options.runs)


def _check_output(output: Path, options: argparse.Namespace, option: str) -> None:
    """Raise ReviewError if an output has another format, or is a file that no review wrote."""
    from training.imports.writing import ENDINGS
    from training.review.messages import journal_of

    if output.suffix.lower() not in ENDINGS:
        raise ReviewError(f"{option} is {output}; expected a name that ends in one of {', '.join(ENDINGS)}.")
    if output.exists() and not journal_of(output).exists() and not options.force:
        raise ReviewError(
            f"{output} exists, and no review wrote it ({journal_of(output).name} is missing): choose another "
            f"{option}, or replace it with --force."
        )


def _review(options: argparse.Namespace) -> None:
    import webbrowser

    from training.review.server import ReviewServer

    with ExitStack() as stack:
        desks = desks_of(options)
        for desk in desks.values():
            stack.callback(desk.close)
        server = stack.enter_context(ReviewServer(desks, options.port))
        say(f"Review at {server.address}\nDecisions go to {_listed(desks)}. Stop with Ctrl-C.")
        if not options.no_browser:
            # A browser in the terminal would return only when it ends.
            Thread(target=webbrowser.open, args=(server.address,), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say(f"Saved in {_listed(desks)}. Run the same command to resume.")


def _listed(desks: "dict[str, Desk]") -> str:
    return " and ".join(str(desk.output) for desk in desks.values())
