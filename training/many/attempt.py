"""The process of one attempt: `python -m training.many.attempt FOLDER` trains what the record in FOLDER says."""

import argparse
import os
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import msgspec

from export.console import say
from export.model import TRAINING_RECORD
from handler.errors import LudwigServerlessError
from training.errors import BusyError, ConfigError, DatasetError
from training.locks import lock
from training.many.options import Command, parser_of
from training.many.record import LOG, Record, Score, read_record, write_record

FINAL = (ConfigError, DatasetError)
"""What no other attempt with the same data and options avoids."""


def main(folder: Path) -> int:
    """Train what a record says, and write to the record what came of it.

    Args:
        folder: The entry's folder.

    Returns:
        The exit status.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    started = time.monotonic()
    with (folder / LOG).open("a") as log:
        # An attempt whose parent was killed may take a moment to end.
        lock(log.fileno(), waits=True)
        record = read_record(folder)
        if record is None:
            raise BusyError(f"{folder} has no record.")
        say(f"=== Attempt {record.attempts}: process {os.getpid()} on {socket.gethostname()} ===")
        found = _trained(record)
        seconds = record.seconds + time.monotonic() - started
        write_record(folder, msgspec.structs.replace(record, seconds=round(seconds, 1), **found))
    return 0 if found["state"] == "finished" else 1


def _trained(record: Record) -> dict[str, Any]:
    """Run the record's command. Returns the fields of the record that this changes."""
    command: Command = "fit" if record.command[0] == "fit" else "train"
    try:
        quiet = ["--no-quotes"] if command == "train" else []
        options = parser_of(command).parse_args(["--force", *quiet, *record.command[1:]])
        options.run(options)
        return {"state": "finished", "reason": "", **_measured(command, options)}
    except LudwigServerlessError as error:
        say(f"error: {error}")
        return {"state": "failed", "reason": str(error), "is_final": isinstance(error, FINAL)}
    except Exception as error:  # whatever it is, the report must say so
        # The message of an unexpected error may quote messages or secrets; the log has only its type and place.
        say("".join(traceback.format_tb(error.__traceback__)))
        last = traceback.extract_tb(error.__traceback__)[-1]
        what = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        reason = f"{what} at {Path(last.filename).name}:{last.lineno}"
        say(f"error: {reason}")
        return {"state": "failed", "reason": f"{reason}; the log has more", "is_final": False}


def _measured(command: Command, options: argparse.Namespace) -> dict[str, Any]:
    """Return what the report shows of a finished training."""
    from training.dataset import TRAIN, read_dataset
    from training.evaluation.index import read_run
    from training.pipeline import DATA as DATASET

    folder = options.runs if command == "train" else options.output.parent
    runs = [each.parent for each in sorted(folder.glob(f"*/{TRAINING_RECORD}"))]
    runs = runs if command == "train" else [options.output]
    scores = {}
    for run in runs:
        row = read_run(run)
        for name, found in row["outputs"].items():
            report = str((folder / row["report"]).absolute())
            scores[name] = Score(found["metric"], found["score"], found["baseline"], report)
    dataset = read_dataset({TRAIN: options.runs / DATASET if command == "train" else options.dataset})
    languages = sorted(set(dataset["language"].dropna().astype(str)) - {""}) if "language" in dataset else []
    bundle_bytes = sum(path.stat().st_size for path in options.output.rglob("*") if path.is_file())
    return {
        "rows": len(dataset),
        "languages": languages,
        "scores": scores,
        "bundle_bytes": bundle_bytes if command == "train" else None,
    }


def _end_with_parent() -> None:
    """End this process when the one that started it ends, however that happens: its end of the pipe closes."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
