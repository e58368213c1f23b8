"""Command-line interface of `ludwig-serverless train`."""

import argparse
from pathlib import Path

from handler.command_line import add_force
from training.fit_options import BUDGET_MINUTES, accuracy, minutes
from training.imports.command import add_data_options, read_data_options

DESCRIPTION = """
Turn training data into proven bundles with one command: import the files; for each of intent, slots and language,
choose a model, train it on all rows, calibrate it, fit its threshold, export it and prove it; and check the bundles.
"""
EXAMPLES = """
examples:
  ludwig-serverless train nlpsample.json --output bundles
  ludwig-serverless train nlu.yml more.csv --language en --output bundles --budget-minutes 20 --prefer accurate
  ludwig-serverless train train.json --test test.json --output bundles

The command writes the dataset, the runs and their reports to `bundles-runs`, next to the bundles, or to the folder of
--runs. Each finished step is kept: after an interruption, re-run the same command to resume.

Next: ludwig-serverless ask bundles 'some text'
"""
THRESHOLD = 0.9


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `train` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="training data in any format that `import` reads"
    )
    parser.add_argument("--output", required=True, type=Path, help="folder for the bundles, one per model")
    parser.add_argument("--runs", type=Path, help="folder for the dataset and the runs (default: OUTPUT-runs)")
    parser.add_argument(
        "--prefer",
        choices=("balanced", "fast", "accurate"),
        default="balanced",
        help="fast tries only light models; accurate also tries slow ones (default: %(default)s)",
    )
    parser.add_argument(
        "--budget-minutes",
        type=minutes,
        default=BUDGET_MINUTES,
        metavar="MINUTES",
        help="time limit for all models together; trials that would exceed it are skipped (default: %(default)g)",
    )
    parser.add_argument(
        "--confidence-threshold",
        type=accuracy,
        default=THRESHOLD,
        metavar="ACCURACY",
        help="fit the intent's confidence threshold so that the remaining answers reach this accuracy; answers below "
        "it count as unknown (default: %(default)s)",
    )
    parser.add_argument(
        "--out-of-scope", metavar="LABEL", help="label of rows that the bot cannot answer and must reject"
    )
    parser.add_argument(
        "--no-quotes",
        action="store_true",
        help="count the rows that the import drops, corrects or doubts without quoting them, for logs that others read",
    )
    add_data_options(parser)
    add_force(parser, "move away the runs of an earlier `train` with other data or options, and replace the bundles")
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
        quotes=not options.no_quotes,
    )
    pipeline.run(force=options.force)
