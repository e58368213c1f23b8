"""Measure what ten minutes of review are worth: train on few rows, review what that model is unsure of, train again.

The rows are the demo's: a few train rows for each intent are the first dataset, and the other train rows are what users
send. What the first model is unsure of is captured, and reviewed through the review's own server by a simulated
reviewer who knows the right intents. A decision about one message or about one group counts as one. The second model
learns from the first dataset and the reviewed messages, imported together. Both are measured on the demo's test rows.
"""

import argparse
import json
import random
import sys
import tempfile
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.report import ROOT, positive, provenance, say, table, write_section
from handler.captured import CapturedMessage, CapturedVerdict, encode_message

if TYPE_CHECKING:
    import pandas as pd

PART = "review"
PAGE = ROOT / "docs" / "review.md"
DEMO = ROOT / "examples" / "demo" / "dataset.csv"
CONFIG = "intent-light"
UNSURE = 0.9
"""Messages below this confidence are captured: the threshold that `train` fits."""
DECISION_SECONDS = 6
"""The assumed time of a decision: reading a message or a group, and a key or two."""


class Outcome(NamedTuple):
    """The result of one repetition.

    Attributes:
        rows: Train rows of the first model.
        captured: Messages that it was unsure of.
        decisions: Decisions of the reviewer.
        labeled: Messages that these decisions labeled.
        before: Share of correct answers of the first model on the test rows, in [0, 1].
        after: The same of the second model.
    """

    rows: int
    captured: int
    decisions: int
    labeled: int
    before: float
    after: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write it into docs/review.md, and return the exit status."""
    options = _parser().parse_args(arguments)
    outcomes = []
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            outcomes.append(measure(Path(folder), options.rows, options.minutes * 60 // DECISION_SECONDS, seed))
        say(f"Seed {seed}: {outcomes[-1]}")
    names = ("seed", "train rows", "unsure messages", "decisions", "labeled", "correct before", "correct after")
    cells = [
        [str(seed), *map(str, outcome[:4]), f"{outcome.before:.1%}", f"{outcome.after:.1%}"]
        for seed, outcome in enumerate(outcomes)
    ]
    lines = [provenance(PART), "", *table(names, cells)]
    print("\n".join(lines))
    write_section(options.page, PART, lines)
    return 0


def measure(folder: Path, rows_per_intent: int, decisions: int, seed: int) -> Outcome:
    """Train, capture, review, import and train again.

    Args:
        folder: An empty folder for the datasets and models.
        rows_per_intent: Train rows of each intent in the first dataset.
        decisions: How many decisions the reviewer makes.
        seed: Seed of the sample of rows.

    Returns:
        The figures.
    """
    from training import fit_model
    from training.evaluation.loaded import ask
    from training.imports.importing import import_files
    from training.imports.options import ImportOptions

    first, sent = _first_rows(rows_per_intent, seed)
    start, both = folder / "start.csv", folder / "both.csv"
    first.to_csv(start, index=False)
    before = fit_model(CONFIG, start, folder / "first")
    answers = ask(before.folder, sent[["text"]].reset_index(drop=True)).to_dict("records")
    captured = _capture(folder / "captured.jsonl", answers)
    right = dict(zip(sent["text"], sent["intent"], strict=True))
    made, labeled = _review(folder, right, decisions)
    import_files([start, folder / "reviewed.csv"], both, ImportOptions())
    after = fit_model(CONFIG, both, folder / "second")
    found = [fitted.metrics["intent"]["accuracy"] for fitted in (before, after)]
    return Outcome(int((first["split"] == "0").sum()), captured, made, labeled, *found)


def _first_rows(rows_per_intent: int, seed: int) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Return the first dataset, with the demo's validation and test rows, and the messages that users send."""
    import pandas as pd

    from export.rows import read_rows

    demo = read_rows(DEMO)
    train = demo[demo["split"] == "0"]
    positions = list(train.index)
    random.Random(seed).shuffle(positions)
    taken: dict[str, list[Any]] = defaultdict(list)
    for position in positions:
        if len(taken[train["intent"][position]]) < rows_per_intent:
            taken[train["intent"][position]].append(position)
    chosen = sorted(position for found in taken.values() for position in found)
    return pd.concat([train.loc[chosen], demo[demo["split"] != "0"]]), train.drop(index=chosen)


def _capture(path: Path, answers: Sequence[dict[Any, Any]]) -> int:
    """Write the messages that the model is unsure of as the service does. Returns how many there are."""
    unsure = [answer for answer in answers if answer["intent_probability"] < UNSURE]
    lines = []
    for number, answer in enumerate(unsure):
        guess, confidence = answer["intent_predictions"], answer["intent_probability"]
        models = {"intent": CapturedVerdict("", "intent", None, confidence, [(guess, confidence)])}
        time = f"2026-11-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
        lines.append(encode_message(CapturedMessage(str(number), time, answer["text"], "below_threshold", "1", models)))
    path.write_bytes(b"".join(lines))
    return len(unsure)


def _review(folder: Path, right: dict[str, str], budget: int) -> tuple[int, int]:
    """Decide as a person at the page does, until there is no time left.

    Args:
        folder: The folder with captured.jsonl. The dataset is reviewed.csv.
        right: The right intent of each text.
        budget: The most decisions.

    Returns:
        The number of decisions, and of messages with a label.
    """
    made = labeled = 0
    with _server(folder) as address:
        for group in _asked(f"{address}state")["messages"]["groups"]:
            intents = [right[item["text"]] for item in group]
            # The whole group with one key if it has one intent, and otherwise message by message.
            steps = [group] if len(set(intents)) == 1 else [[item] for item in group]
            for step in steps[: budget - made]:
                submissions = [{"id": item["id"], "kind": "label", "intent": right[item["text"]]} for item in step]
                labeled = _asked(f"{address}decide", {"tab": "messages", "submissions": submissions})["progress"][
                    "labeled"
                ]
                made += 1
    return made, labeled


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """Run the review's server, and yield the page's address."""
    from training.review.captures import read_captures
    from training.review.messages import message_desk
    from training.review.server import ReviewServer

    desk = message_desk(read_captures(str(folder / "captured.jsonl")).messages, folder / "reviewed.csv")
    with ReviewServer({"messages": desk}) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.address
        finally:
            server.shutdown()
            thread.join()
            desk.close()


def _asked(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{PART}",
        description=__doc__,
        epilog="The table goes to stdout and into docs/review.md.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, value, meaning in (
        ("rows", 4, "train rows of each intent in the first dataset"),
        ("minutes", 10, f"minutes of review, with a decision every {DECISION_SECONDS} seconds"),
        ("seeds", 3, "repetitions with other rows"),
    ):
        made.add_argument(f"--{name}", type=positive, default=value, help=f"{meaning} (default: %(default)s)")
    made.add_argument("--page", type=Path, default=PAGE, help="page with the section (default: %(default)s)")
    return made


if __name__ == "__main__":
    sys.exit(main())
