"""`ludwig-serverless train`, on a command line."""

import argparse
from pathlib import Path

from handler.command_line import add_force
from training.fit_command import BUDGET_MINUTES, accuracy, minutes
from training.imports.command import add_data_options, read_data_options

DESCRIPTION = """
Go from training data to proven bundles at once: import the files, choose a model for each of intent, slots and
language, train it on all rows, calibrate it, fit its threshold, export it, prove it, and check the bundles.
"""
EXAMPLES = """
examples:
  ludwig-serverless train nlpsample.json --output bundles
  ludwig-serverless train nlu.yml more.csv --language en --output bundles --budget-minutes 20 --prefer accurate
  ludwig-serverless train train.json --test test.json --output bundles

The dataset, the runs and their reports go to `bundles-runs`, beside the bundles (--runs says elsewhere). The same
command again continues where it was interrupted: each finished step is kept.

Next: ludwig-serverless ask bundles 'some text'
"""
THRESHOLD = 0.9


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `train` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="training data, as `import` reads it")
    parser.add_argument("--output", required=True, type=Path, help="the folder of the bundles, one for each model")
    parser.add_argument("--runs", type=Path, help="the folder of the dataset and the runs (default: OUTPUT-runs)")
    parser.add_argument(
        "--prefer",
        choices=("balanced", "fast", "accurate"),
        default="balanced",
        help="fast tries light models only; accurate also those that take long (%(default)s)",
    )
    parser.add_argument(
        "--budget-minutes",
        type=minutes,
        default=BUDGET_MINUTES,
        metavar="MINUTES",
        help="for all models together: no comparison begins that would take longer (%(default)g)",
    )
    parser.add_argument(
        "--confidence-threshold",
        type=accuracy,
        default=THRESHOLD,
        metavar="ACCURACY",
        help="an intent counts as unknown below the confidence above which answers are right this often (%(default)s)",
    )
    parser.add_argument(
        "--out-of-scope", metavar="LABEL", help="the intent of rows that the bot cannot answer, to be refused"
    )
    add_data_options(parser)
    add_force(parser, "throw away what an earlier `train` of other data left, and replace the bundles")
    parser.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    from training.pipeline import Pipeline

    runs = options.runs or options.output.absolute().with_name(f"{options.output.resolve().name}-runs")
    pipeline = Pipeline(
        files=tuple(options.files),
        bundles=options.output,
        runs=runs,
        data=read_data_options(options),
        prefer=options.prefer,
        budget_minutes=options.budget_minutes,
        confidence_threshold=options.confidence_threshold,
        out_of_scope=options.out_of_scope,
    )
    pipeline.run(force=options.force)
