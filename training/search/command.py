"""The options of `ludwig-serverless fit --hyperopt`."""

import argparse
import shlex
from typing import TYPE_CHECKING

from export.console import say
from handler.command_line import count_of
from training.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from training.config import Config
    from training.search.results import Results

EPOCHS = "trainer.epochs"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a search to the parser of `fit`."""
    parser.add_argument(
        "--hyperopt",
        action="store_true",
        help="search for better values of the parameters in the configuration's section `hyperopt`, which the built-in "
        "configurations have; writes the best configuration, best.yaml, and a report instead of a run; after an "
        "interruption, re-run the same command to continue",
    )
    parser.add_argument(
        "--trials",
        type=count_of("trials, such as 20"),
        metavar="N",
        help="with --hyperopt: number of trials, without the one of the configuration itself (default: num_samples of "
        "the section, or 20)",
    )


def check(options: argparse.Namespace) -> None:
    """Check that `--trials` is not given without `--hyperopt`.

    Raises:
        ConfigError: It is.
    """
    if options.trials and not options.hyperopt:
        raise ConfigError("--trials has no effect without --hyperopt: add --hyperopt, or remove it.")


def run(config: "Config", dataset: "pd.DataFrame", options: argparse.Namespace) -> None:
    """Search, and print the command that trains the best configuration.

    Args:
        config: The configuration, with a section `hyperopt`.
        dataset: The rows.
        options: The arguments of `fit`.

    Raises:
        ConfigError: An option has no effect on a search.
    """
    from training.imports.vocabulary import entities_of
    from training.search.preparing import SearchOptions
    from training.search.search import search

    _refuse_unfit(config, options)
    found = search(
        config,
        dataset,
        options.output,
        SearchOptions(
            trials=options.trials,
            budget_minutes=options.budget_minutes,
            seed=options.seed,
            slot_decoding=options.slot_decoding,
            augment=options.augment,
            out_of_scope=options.out_of_scope,
            address=options.address if options.backend == "ray" else None,
            cpus=options.cpus,
            gpus=options.gpus,
        ),
        overwrite=options.force,
        entities=entities_of(options.dataset),
    )
    _tell(found, options)


def _refuse_unfit(config: "Config", options: argparse.Namespace) -> None:
    """Raise ConfigError for options that belong to the training of the best configuration, or that the search sets."""
    from training.config import SEARCH

    thresholds = {
        "--confidence-threshold": options.confidence_threshold,
        "--keep-correct": options.keep_correct,
        "--per-intent": options.per_intent,
        "--workers": options.workers > 1,
    }
    if unfit := [name for name, value in thresholds.items() if value]:
        raise ConfigError(f"{unfit[0]} has no effect on a search: add it to the command that trains best.yaml.")
    section = config.get(SEARCH)
    if options.epochs and isinstance(section, dict) and EPOCHS in (section.get("parameters") or {}):
        raise ConfigError(
            f"--epochs cannot be combined with a search that tries {EPOCHS}: remove one of them, the latter from the "
            "section `hyperopt` of a copy of the configuration."
        )


def _tell(results: "Results", options: argparse.Namespace) -> None:
    from training.search.results import BEST, REPORT

    best, own = results.best, results.own
    if best is None:
        return
    score = f"{results.metric} {results.shown(best.score)}"
    if best.number == 0:
        say(f"No trial is better than the configuration as it is: {score}.")
    else:
        before = f", and the configuration as it is {results.shown(own.score)}" if own else ""
        luck = results.luck(best)
        doubt = f" Chance alone makes such a difference in {luck:.0%} of all cases." if luck is not None else ""
        say(f"Trial {best.number} is the best: {score}{before}.{doubt}")
    say(f"Report: {options.output / REPORT}")
    say(f"Saved to {options.output / BEST}. Next: {_next_command(options)}")


def _next_command(options: argparse.Namespace) -> str:
    """Return the command that trains the best configuration on the same rows."""
    from training.search.results import BEST

    given = {
        "--validation": options.validation,
        "--test": options.test if options.validation else None,  # alone, `fit` rejects it
        "--augment": options.augment or None,
        "--out-of-scope": options.out_of_scope,
        "--slot-decoding": options.slot_decoding if options.slot_decoding != "viterbi" else None,
        "--seed": options.seed if options.seed != 42 else None,
    }
    more = [part for name, value in given.items() if value is not None for part in (name, str(value))]
    paths = ["--config", str(options.output / BEST), "--dataset", str(options.dataset)]
    return f"ludwig-serverless fit {shlex.join([*paths, *more])} --output RUN"
