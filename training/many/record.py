"""The record of an entry, `entry.json` in its folder: what is trained there, and what came of it.

The files of an entry, in OUTPUT/NAME:

    entry.json   this record
    log.txt      what its trainings printed
    bundles, runs    what `train` writes; or `run`, what `fit` writes
"""

from pathlib import Path
from typing import Literal

import msgspec

from training.whole_files import write_whole

RECORD, LOG = "entry.json", "log.txt"
type State = Literal["waiting", "running", "finished", "failed"]


class Score(msgspec.Struct, frozen=True):
    """The score of one output of a model.

    Attributes:
        metric: `accuracy`, or `f1` of whole slots.
        score: In [0, 1].
        baseline: Accuracy of the baseline, or None if there is none.
        report: The report of the run, a path.
    """

    metric: str
    score: float
    baseline: float | None
    report: str


class Record(msgspec.Struct, frozen=True):
    """The record of an entry.

    Attributes:
        name: The entry's name.
        digest: SHA-256 of the options and the data.
        command: The command line, such as `["train", "--seed=7", ..., "data.csv"]`.
        outputs: The folders that the command writes.
        state: How far the entry is.
        attempts: Number of attempts with this digest.
        seconds: Duration of these attempts together.
        reason: Why the last attempt failed, or "".
        is_final: Whether another attempt with the same data and options would fail as well.
        rows: Number of rows of the dataset.
        languages: The languages in the dataset.
        scores: The score of each output, by name.
        bundle_bytes: Size of all bundles together; None if there are none.
    """

    name: str
    digest: str
    command: list[str]
    outputs: list[str]
    state: State = "waiting"
    attempts: int = 0
    seconds: float = 0.0
    reason: str = ""
    is_final: bool = False
    rows: int | None = None
    languages: list[str] = []
    scores: dict[str, Score] = {}
    bundle_bytes: int | None = None

    def is_complete(self) -> bool:
        """Return whether the entry is finished and all its folders exist."""
        return self.state == "finished" and all(Path(path).is_dir() for path in self.outputs)


def read_record(folder: Path) -> Record | None:
    """Return the record in an entry's folder, or None if there is none.

    Args:
        folder: The entry's folder.
    """
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=Record)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_record(folder: Path, record: Record) -> Record:
    """Write a record, atomically.

    Args:
        folder: The entry's folder, which exists.
        record: The record.

    Returns:
        The same record.
    """
    write_whole(folder / RECORD, msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    return record
