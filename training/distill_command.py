"""Command-line interface of `ludwig-serverless distill`."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from export.console import say
from handler.command_line import add_force
from training.errors import DatasetError
from training.fit_options import accuracy

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = """
Train a light model (the student) on the answers of a strong one (the teacher): the teacher answers texts without
labels, such as chat logs, and the student learns from these answers and from the labeled rows. The result is a run like
those of `fit`. The command compares the teacher, the student trained without it, and the distilled student on the same
test rows.
"""
EXAMPLES = """
examples:
  ludwig-serverless fit --config intent-minilm-frozen --pretrained minilm --dataset data.csv --output runs/teacher
  ludwig-serverless distill runs/teacher --dataset data.csv --unlabeled chat.txt --output runs/intent

The teacher and the student see the same training rows if --dataset is the file that the teacher was trained on. After
an interruption, re-run the same command to resume: the teacher's answers are stored.
--unlabeled is a text file with one message per line, or a table (CSV, TSV, JSON, JSONL, Parquet) with a column text or
utterance. Hundreds of messages help; thousands help more. Without them, there is nothing to distill, because the
teacher has memorized the labeled rows.

Next: ludwig-serverless export runs/intent bundles/intent --dataset data.csv
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `distill` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("teacher", type=Path, metavar="TEACHER", help="the teacher: a run of `fit`")
    parser.add_argument("--dataset", required=True, type=Path, help="labeled rows: CSV, TSV, JSON, JSONL or Parquet")
    parser.add_argument(
        "--unlabeled",
        required=True,
        type=Path,
        action="append",
        metavar="FILE",
        help="texts without labels, one per line (.txt) or in the column text of a table; may be repeated",
    )
    parser.add_argument("--output", required=True, type=Path, help="the student's run folder")
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("intent-light"),
        help="the student: a configuration file or the name of a built-in one (default: %(default)s)",
    )
    parser.add_argument(
        "--min-confidence",
        type=accuracy,
        default=0.3,
        metavar="PROBABILITY",
        help="skip texts whose most likely label has a lower probability (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=42, help="random seed (default: %(default)s)")
    parser.add_argument(
        "--calibrate", action="store_true", help="calibrate the student's probabilities with temperature scaling"
    )
    parser.add_argument(
        "--confidence-threshold",
        type=accuracy,
        metavar="ACCURACY",
        help="fit a confidence threshold so that the student's remaining answers reach this accuracy",
    )
    add_force(parser, "replace an existing run")
    parser.set_defaults(run=_distill)


def unlabeled_texts(path: Path) -> "Sequence[str]":
    """Read texts without labels: the lines of a text file, or the column text (or utterance) of a table.

    Args:
        path: The file; a text file has the extension `.txt`.

    Returns:
        The texts, without empty ones and without those that UTF-8 cannot hold.

    Raises:
        DatasetError: The file cannot be read, or it has no such column.
    """
    from export.rows import read_rows, with_named_columns
    from training.imports.vocabulary import is_unicode

    if path.suffix.lower() == ".txt":
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"Cannot read {path}: {error}. Expected UTF-8 with one message per line.") from None
        return [line.strip() for line in lines if line.strip()]
    rows = with_named_columns(read_rows(path), ["text"])
    if "text" not in rows:
        raise DatasetError(f"{path} has the columns {list(rows.columns)}; expected a column named `text`.")
    return [text for text in rows["text"] if isinstance(text, str) and text.strip() and is_unicode(text)]


def _distill(options: argparse.Namespace) -> None:
    from training.api import chosen_config
    from training.config import read_config
    from training.dataset import TRAIN, read_dataset
    from training.distillation import Student, distill
    from training.evaluation.thresholds import ThresholdOptions
    from training.fit import check_output
    from training.imports.vocabulary import entities_of

    check_output(options.output, overwrite=options.force)
    wanted = options.confidence_threshold
    student = Student(
        chosen_config(read_config(options.config), pretrained=None, epochs=None, calibrate=options.calibrate),
        least_confidence=options.min_confidence,
        thresholds=ThresholdOptions(wanted) if wanted is not None else None,
        seed=options.seed,
    )
    texts = [text for path in options.unlabeled for text in unlabeled_texts(path)]
    dataset = read_dataset({TRAIN: options.dataset})
    found = distill(
        options.teacher,
        dataset,
        texts,
        options.output,
        student,
        overwrite=options.force,
        entities=entities_of(options.dataset),
    )
    print(json.dumps(found, indent=1))
    say(f"Saved to {options.output}. Next: ludwig-serverless export {options.output} bundles/{options.output.name}")
