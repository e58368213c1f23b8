"""Command-line interface of `ludwig-serverless fit`."""

import argparse
import json
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from export.console import say
from training import cluster
from training.errors import ConfigError, DatasetError
from training.fit_options import add_options, budget_minutes_for, check_choice
from training.search import command as search_command

if TYPE_CHECKING:
    import pandas as pd

    from training.choice.candidates import Prefer
    from training.evaluation.thresholds import ThresholdOptions
    from training.fit import Fitted
    from training.parallel.team import Team

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
    add_options(parser)
    parser.set_defaults(run=_fit)


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
