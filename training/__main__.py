"""Training on a command line: `python -m training fit`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from export.console import say
from export.errors import ExportError
from training.errors import TrainingError

EXAMPLES = """
examples:
  python -m training fit --config intent-lstm --dataset data.csv --output runs/intent
  python -m training fit --config my-config.yaml --dataset data.parquet --output runs/intent
  python -m training fit --config intent-bert --pretrained minilm --dataset data.jsonl --output runs/intent

A dataset has the columns that the configuration names: text (or utterance) and intent, language or slots. `slots` holds
one BIO tag for each word, with spaces between. A column `split`, if there is one, says 0 train, 1 validation, 2 test.
"""


def main(arguments: Sequence[str]) -> int:
    """Run a command. Returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (TrainingError, ExportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _fit(options: argparse.Namespace) -> None:
    from training.config import read_config, with_pretrained
    from training.dataset import TEST, TRAIN, VALIDATION, read_dataset
    from training.fit import check_output, fit

    check_output(options.output, overwrite=options.overwrite)
    config = read_config(options.config)
    if options.pretrained:
        config = with_pretrained(config, options.pretrained)
    if options.epochs:
        config["trainer"] = {**config.get("trainer", {}), "epochs": options.epochs}
    files = {TRAIN: options.dataset, VALIDATION: options.validation, TEST: options.test}
    dataset = read_dataset({split: path for split, path in files.items() if path})
    fitted = fit(config, dataset, options.output, seed=options.seed, overwrite=options.overwrite)
    print(json.dumps(fitted.metrics, indent=1))
    say(f"Saved to {fitted.folder}. Next: python -m export {fitted.folder} bundles/{fitted.folder.name}")


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m training", description="Train language models with Ludwig.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fit = commands.add_parser("fit", help="train a model", epilog=EXAMPLES, formatter_class=raw)
    fit.add_argument(
        "--config",
        required=True,
        type=Path,
        help="a Ludwig configuration, or the name of one that comes along: intent-bert, intent-lstm, language-cnn, "
        "slots-bert, slots-lstm",
    )
    fit.add_argument("--dataset", required=True, type=Path, help="rows to train on: CSV, TSV, JSON, JSONL or Parquet")
    fit.add_argument("--validation", type=Path, help="rows to choose the best epoch by, where they have their own file")
    fit.add_argument("--test", type=Path, help="rows for the final metrics, where they have their own file")
    fit.add_argument("--output", required=True, type=Path, help="folder of the run: the model, its record, its metrics")
    fit.add_argument("--pretrained", help="start transformers from this: a Hugging Face name, a folder, or `minilm`")
    fit.add_argument("--epochs", type=int, help="train so many epochs, whatever the configuration says")
    fit.add_argument("--seed", type=int, default=42, help="of everything random (%(default)s)")
    fit.add_argument("--overwrite", action="store_true", help="replace the output folder if it exists")
    fit.set_defaults(run=_fit)
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
