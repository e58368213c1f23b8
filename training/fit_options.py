"""The options of `ludwig-serverless fit`, and what `train`, `train-many` and `distill` share with it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from handler.command_line import add_force, finite_number
from training import cluster
from training.errors import ConfigError
from training.search import command as search_command

if TYPE_CHECKING:
    from training.choice.candidates import Prefer

BUDGET_MINUTES = 10.0
ACCURATE_BUDGET_MINUTES = 60.0
"""For `--prefer accurate`: by estimate, enough to fine-tune MiniLM twice on 15,000 rows on two idle cores."""
CHOICE = ("learn", "prefer", "budget-minutes")
"""Options of the choice of a configuration, without their dashes."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `fit` to its parser."""
    parser.add_argument(
        "--config",
        type=Path,
        help="a Ludwig configuration file, or the name of a built-in one: intent-bert, intent-embed, intent-light, "
        "intent-light-en, intent-lstm, intent-minilm, intent-minilm-frozen, language-cnn, language-light, slots-bert, "
        "slots-light, slots-lstm, slots-lstm-en, slots-minilm; without it, `fit` compares those that suit the dataset",
    )
    add_choice(parser)
    parser.add_argument("--dataset", required=True, type=Path, help="training rows: CSV, TSV, JSON, JSONL or Parquet")
    parser.add_argument("--validation", type=Path, help="separate file of validation rows, which select the best epoch")
    parser.add_argument("--test", type=Path, help="separate file of test rows, for the final metrics")
    parser.add_argument(
        "--output", required=True, type=Path, help="the run's folder, for the model, its record and its metrics"
    )
    parser.add_argument("--pretrained", help="pretrained transformer: a Hugging Face name, a folder, or `minilm`")
    parser.add_argument("--epochs", type=int, help="number of epochs; overrides the configuration")
    parser.add_argument(
        "--augment",
        type=int,
        default=0,
        metavar="COPIES",
        help="also train on so many changed copies of each training row: typos, case, punctuation, dropped words, and "
        "slot values of other rows or of the dataset's vocabulary of entities; without --config, only if this improves "
        "the answers to held-out rows",
    )
    parser.add_argument("--seed", type=int, default=42, help="random seed (default: %(default)s)")
    add_force(parser, "replace an existing run", "--overwrite")
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="calibrate the probabilities of labels with Ludwig's temperature scaling",
    )
    parser.add_argument(
        "--confidence-threshold",
        type=accuracy,
        metavar="ACCURACY",
        help="fit a confidence threshold so that the remaining answers reach this accuracy, such as 0.95; answers "
        "below it count as unknown; a language always gets a threshold, by default for 0.98",
    )
    parser.add_argument(
        "--out-of-scope",
        metavar="LABEL",
        help="label of rows that the bot cannot answer: they are excluded from training, and thresholds are fitted to "
        "reject them",
    )
    parser.add_argument(
        "--keep-correct",
        type=accuracy,
        metavar="SHARE",
        help="reject the least confident answers, which messages out of scope mostly get, but keep this share of the "
        "correct ones (default: 0.98 with --out-of-scope; otherwise nothing is rejected for being out of scope)",
    )
    parser.add_argument(
        "--slot-decoding",
        choices=["viterbi", "argmax"],
        default="viterbi",
        help="how to choose slot tags for the evaluation and the handler: viterbi finds the best valid sequence, "
        "argmax takes the best tag of each word, like Ludwig (default: %(default)s)",
    )
    parser.add_argument("--per-intent", action="store_true", help="fit a threshold for each label that has enough rows")
    search_command.add_options(parser)
    cluster.add_options(parser)


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add the options for choosing a configuration automatically to a parser."""
    parser.add_argument(
        "--learn",
        choices=("intent", "slots", "language"),
        help="without --config: the column to learn (default: the one named like the output, or the first of these)",
    )
    parser.add_argument(
        "--prefer",
        choices=("balanced", "fast", "accurate"),
        help="without --config: fast compares only light models; accurate also compares slow ones and takes the best "
        "score regardless of cost (default: balanced)",
    )
    parser.add_argument(
        "--budget-minutes",
        type=minutes,
        metavar="MINUTES",
        help=f"without --config: time limit for the comparison and the training (default: {BUDGET_MINUTES:g}; "
        f"{ACCURATE_BUDGET_MINUTES:g} for `fit --prefer accurate`); with --hyperopt: for the search (default: none)",
    )


def budget_minutes_for(prefer: "Prefer") -> float:
    """Return the default time limit of `fit` without `--config`, in minutes."""
    return ACCURATE_BUDGET_MINUTES if prefer == "accurate" else BUDGET_MINUTES


def minutes(given: str) -> float:
    """Parse a command-line argument as a number of minutes.

    Raises:
        argparse.ArgumentTypeError: It is not a positive number.
    """
    found = finite_number(given)
    if not found > 0:
        raise argparse.ArgumentTypeError(f"expected a number of minutes, such as 10, got {given!r}")
    return found


def check_choice(options: argparse.Namespace) -> None:
    """Check that the options either name a configuration or choose one.

    Args:
        options: The parsed options of `fit`.

    Raises:
        ConfigError: `--config` is combined with options that choose one, or is missing for options that change one.
    """
    from training.parallel.team import team_of_environment

    if options.config is None:
        changes = {
            "--pretrained": options.pretrained,
            "--epochs": options.epochs,
            "--hyperopt": options.hyperopt,
            "--backend ray": options.backend == "ray",
            "--workers": options.workers > 1,
            "torchrun": team_of_environment() is not None,
        }
        if unfit := [name for name, value in changes.items() if value]:
            raise ConfigError(f"{unfit[0]} requires a configuration: add --config, for example --config intent-lstm.")
        return
    given = [key for key in CHOICE if getattr(options, key.replace("-", "_")) is not None]
    if unfit := [f"--{key}" for key in given if not (options.hyperopt and key == "budget-minutes")]:
        raise ConfigError(f"{unfit[0]} cannot be combined with --config: remove one of them.")


def accuracy(given: str) -> float:
    """Parse a command-line argument as an accuracy.

    Raises:
        argparse.ArgumentTypeError: It is not a number above 0 and at most 1.
    """
    found = finite_number(given)
    if not 0 < found <= 1:
        raise argparse.ArgumentTypeError(f"expected an accuracy between 0 and 1, such as 0.95, got {given!r}")
    return found
