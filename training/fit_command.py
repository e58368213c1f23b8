"""Command-line interface of `ludwig-serverless fit`."""

import argparse
import json
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from export.console import say
from handler.command_line import add_force
from training import cluster
from training.errors import ConfigError, DatasetError
from training.search import command as search_command

if TYPE_CHECKING:
    import pandas as pd

    from training.choice.candidates import Prefer
    from training.evaluation.thresholds import ThresholdOptions
    from training.fit import Fitted
    from training.parallel.team import Team

BUDGET_MINUTES = 10.0
ACCURATE_BUDGET_MINUTES = 60.0
"""For `--prefer accurate`: by estimate, enough to fine-tune MiniLM twice on 15,000 rows on two idle cores."""
CHOICE = ("learn", "prefer", "budget-minutes")
"""Options of the choice of a configuration, without their dashes."""
DESCRIPTION = """
Train a model with Ludwig, evaluate it on rows that it was not trained on, and write a run: the model, its record and
its report. Without --config, the command first compares the candidates that suit the dataset, and then trains the best
one on all rows.
"""
EXAMPLES = """
examples:
  ludwig-serverless fit --dataset data.csv --output runs/intent
  ludwig-serverless fit --learn slots --dataset data.csv --output runs/slots --prefer fast --budget-minutes 5
  ludwig-serverless fit --config intent-lstm --dataset data.csv --output runs/intent
  ludwig-serverless fit --config my-config.yaml --dataset data.parquet --output runs/intent
  ludwig-serverless fit --config intent-minilm --pretrained minilm --dataset data.jsonl --output runs/intent
  ludwig-serverless fit --config intent-lstm --dataset data.csv --output runs/intent --workers 4
  torchrun --nproc-per-node 4 -m ludwig_serverless fit --config intent-lstm --dataset data.csv --output runs/intent
  ludwig-serverless fit --config intent-lstm --dataset data.csv --output runs/intent \\
      --calibrate --confidence-threshold 0.95
  ludwig-serverless fit --config intent-light --dataset data.csv --output searches/intent --hyperopt --trials 20

After an interruption by Ctrl-C, SIGTERM or a crash, re-run the same command to resume from the last finished epoch. The
report of a finished run is evaluation/report.html in its folder.

The dataset needs the columns of the configuration: text (or utterance), and intent, language or slots. `slots` contains
space-separated BIO tags, one per word. An optional column `split` assigns rows: 0 train, 1 validation, 2 test.

Next: ludwig-serverless export runs/intent bundles/intent --dataset data.csv
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `fit` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
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
    parser.set_defaults(run=_fit)


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
    try:
        found = float(given)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number of minutes, such as 10, got {given!r}")
    return found


def _fit(options: argparse.Namespace) -> None:
    from training.api import chosen_config
    from training.config import read_config
    from training.fit import check_output
    from training.imports.vocabulary import entities_of
    from training.parallel.team import team_of_environment

    search_command.check(options)
    if not options.hyperopt:
        check_output(options.output, overwrite=options.force)
    check_choice(options)
    if options.config is None:
        _choose(options)
        return
    config = chosen_config(
        read_config(options.config),
        pretrained=options.pretrained,
        epochs=options.epochs,
        calibrate=options.calibrate,
    )
    dataset = _read(options)
    if options.hyperopt:
        search_command.run(config, dataset, options)
        return
    cluster.check_config(config)
    team = team_of_environment()
    run = _runner(options, team)
    with team.heard() if team else nullcontext():
        fitted = run(
            config,
            dataset,
            options.output,
            seed=options.seed,
            overwrite=options.force,
            thresholds=_threshold_options(options),
            slot_decoding=options.slot_decoding,
            entities=entities_of(options.dataset),
            augment=options.augment,
        )
    if team is None or team.is_first:
        _tell(fitted, options.dataset)


def _runner(options: argparse.Namespace, team: "Team | None") -> "Callable[..., Fitted]":
    """Return the function that trains where the options say: in this process, in several ones, or on a cluster."""
    from training.fit import fit
    from training.parallel.processes import fit_on_processes

    if team:
        if options.backend == "ray" or options.workers not in (1, team.size):
            raise ConfigError(
                f"torchrun has started {team.size} workers: remove --workers and --backend, or run without torchrun."
            )
        return partial(fit, team=team)
    if options.backend == "ray":
        return cluster.fit_on(options)
    return partial(fit_on_processes, workers=options.workers) if options.workers > 1 else fit


def _tell(fitted: "Fitted", dataset: Path) -> None:
    from training.next_step import int8_advice

    run, bundle = fitted.folder, Path("bundles", fitted.folder.name)
    print(json.dumps(fitted.metrics, indent=1))
    say(f"Report: {run / 'evaluation' / 'report.html'}")
    say(f"Saved to {run}. Next: ludwig-serverless export {run} {bundle}")
    if advice := int8_advice(run, bundle, dataset):
        say(advice)


def _read(options: argparse.Namespace) -> "pd.DataFrame":
    from training.dataset import TEST, TRAIN, VALIDATION, read_dataset

    files = {TRAIN: options.dataset, VALIDATION: options.validation, TEST: options.test}
    return read_dataset({split: path for split, path in files.items() if path})


def _choose(options: argparse.Namespace) -> None:
    """Train without a configuration: compare the candidates and train the best one."""
    from training.choice.choose import ChoiceOptions, choose_and_fit, what_to_learn
    from training.imports.vocabulary import entities_of

    dataset = _read(options)
    prefer: Prefer = options.prefer or "balanced"
    choice = ChoiceOptions(
        prefer=prefer,
        budget_minutes=options.budget_minutes or budget_minutes_for(prefer),
        calibrate=options.calibrate,
        thresholds=_threshold_options(options),
        slot_decoding=options.slot_decoding,
        seed=options.seed,
        augment=options.augment,
    )
    learn = options.learn or what_to_learn(dataset, options.output)
    entities = entities_of(options.dataset)
    fitted = choose_and_fit(learn, dataset, options.output, choice, overwrite=options.force, entities=entities)
    _tell(fitted, options.dataset)


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


def _threshold_options(options: argparse.Namespace) -> "ThresholdOptions | None":
    """Return the target of the requested thresholds, or None."""
    from training.evaluation.thresholds import ThresholdOptions

    found = ThresholdOptions(
        options.confidence_threshold, options.out_of_scope, options.per_intent, options.keep_correct
    )
    if found.accuracy is None and not found.rejects:
        if options.per_intent:
            raise DatasetError("--per-intent requires --confidence-threshold, --out-of-scope or --keep-correct.")
        return None
    return found


def accuracy(given: str) -> float:
    """Parse a command-line argument as an accuracy.

    Raises:
        argparse.ArgumentTypeError: It is not a number above 0 and at most 1.
    """
    try:
        found = float(given)
    except ValueError:
        found = 0.0
    if not 0 < found <= 1:
        raise argparse.ArgumentTypeError(f"expected an accuracy between 0 and 1, such as 0.95, got {given!r}")
    return found
