"""Training on a command line: `python -m training import` and `python -m training fit`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from export.console import say
from export.errors import ExportError
from training import cluster
from training.errors import DatasetError, TrainingError
from training.evaluation import command as evaluation
from training.launch import command as launch
from training.publishing import command as publishing

if TYPE_CHECKING:
    import pandas as pd

    from training.config import Config
    from training.evaluation.thresholds import ThresholdOptions

EXAMPLES = """
examples:
  python -m training fit --config intent-lstm --dataset data.csv --output runs/intent
  python -m training fit --config my-config.yaml --dataset data.parquet --output runs/intent
  python -m training fit --config intent-minilm --pretrained minilm --dataset data.jsonl --output runs/intent
  python -m training fit --config intent-lstm --dataset data.csv --output runs/intent \
      --calibrate --confidence-threshold 0.95

A training that breaks off, by Ctrl-C, SIGTERM or worse, keeps its last whole epoch beside the output; the same command
goes on from there. A finished run has a report: evaluation/report.html in its folder.

A dataset has the columns that the configuration names: text (or utterance) and intent, language or slots. `slots` holds
one BIO tag for each word, with spaces between. A column `split`, if there is one, says 0 train, 1 validation, 2 test.
"""

IMPORT_EXAMPLES = """
files, told by their ending, and within JSON by their content:
  .json           Hexabot's export (NLU > samples > export), whichever helper is active; Rasa's JSON
  .csv .tsv       Hexabot's CSV, or any other; separated by commas, semicolons or tabs, whichever the header shows
  .yml .yaml      Rasa's NLU data: intents with [Paris](city), synonyms, lookup tables
  .jsonl .parquet one row for each text

The dataset has the columns text, intent, slots, language, any other traits, and split (0 train, 1 validation, 2 test).
slots holds one BIO tag for each word. A slot is where its offsets say, if they fall on borders of words; otherwise its
value, a synonym or a value of its lookup table is looked for in the text. Where a value is not found, or several times,
the row keeps its intent and has no slots. Of several files, the synonyms of each serve all.

An entity that never has offsets, in a file whose other entities always have, is a trait. So is a column whose values
are not parts of the texts. --slot and --trait decide otherwise, --ignore leaves a column or an entity out.
--validation and --test take files whose rows are all for one part; a part without a file is taken from the other rows.

examples:
  python -m training import nlpsample.json --output data.csv
  python -m training import nlu.yml more.csv --language en --output data.csv --report report.json
  python -m training import samples.csv --column text=question --column intent=label --output data.jsonl
  python -m training import train.json --test test.json --output data.csv
  python -m training import samples.csv --slot city --trait mood --split 0.7,0.15,0.15 --output data.parquet
  python -m training import samples.csv --ignore norm --output data.csv

Read the report on stderr: it names each row that was dropped, corrected or doubtful. Then train:
  python -m training fit --config intent-lstm --dataset data.csv --output runs/intent
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
    from training.config import read_config, with_calibration, with_pretrained
    from training.dataset import TEST, TRAIN, VALIDATION, read_dataset
    from training.fit import check_output, fit

    if not options.hyperopt:
        check_output(options.output, overwrite=options.overwrite)
    config = read_config(options.config)
    if options.pretrained:
        config = with_pretrained(config, options.pretrained)
    if options.epochs:
        config["trainer"] = {**config.get("trainer", {}), "epochs": options.epochs}
    if options.calibrate:
        config = with_calibration(config)
    files = {TRAIN: options.dataset, VALIDATION: options.validation, TEST: options.test}
    dataset = read_dataset({split: path for split, path in files.items() if path})
    if options.hyperopt:
        _search(config, dataset, options)
        return
    cluster.check_config(config)
    run = cluster.fit_on(options) if options.backend == "ray" else fit
    fitted = run(
        config,
        dataset,
        options.output,
        seed=options.seed,
        overwrite=options.overwrite,
        thresholds=_threshold_options(options),
        slot_decoding=options.slot_decoding,
    )
    print(json.dumps(fitted.metrics, indent=1))
    say(f"Report: {fitted.folder / 'evaluation' / 'report.html'}")
    say(f"Saved to {fitted.folder}. Next: python -m export {fitted.folder} bundles/{fitted.folder.name}")


def _search(config: "Config", dataset: "pd.DataFrame", options: argparse.Namespace) -> None:
    from training.search import search

    best = search(config, dataset, options.output, seed=options.seed, overwrite=options.overwrite)
    say(f"Saved to {best}. Next: python -m training fit --config {best} --dataset {options.dataset} --output RUN")


def _threshold_options(options: argparse.Namespace) -> "ThresholdOptions | None":
    """Return what thresholds are asked for, if they are."""
    from training.evaluation.thresholds import ThresholdOptions

    if options.confidence_threshold is None and options.out_of_scope is None:
        if options.per_intent:
            raise DatasetError("--per-intent needs --confidence-threshold or --out-of-scope, to fit thresholds by.")
        return None
    return ThresholdOptions(options.confidence_threshold, options.out_of_scope, options.per_intent)


def _accuracy(given: str) -> float:
    try:
        accuracy = float(given)
    except ValueError:
        accuracy = 0.0
    if not 0 < accuracy <= 1:
        raise argparse.ArgumentTypeError(f"expected how often answers shall be right, as in 0.95, found {given!r}")
    return accuracy


def _import(options: argparse.Namespace) -> None:
    from training.imports.importing import import_files
    from training.imports.options import ImportOptions

    for path in filter(None, (options.output, options.report)):
        if path.exists() and not options.overwrite:
            raise DatasetError(f"{path} exists: give another name, or --overwrite.")
        if any(path.resolve() == file.resolve() for file in [*options.files, *options.validation, *options.test]):
            raise DatasetError(f"{path} is read and would be written: give another name.")
    import_options = ImportOptions(
        language=options.language,
        split=None if options.no_split else options.split,
        validation=tuple(options.validation),
        test=tuple(options.test),
        seed=options.seed,
        keep_none=options.keep_none,
        drop_duplicates=options.drop_duplicates,
        slots=frozenset(options.slot),
        traits=frozenset(options.trait),
        ignored=frozenset(options.ignore),
        columns={found: name for name, found in options.column},
        header=not options.no_header,
    )
    report = import_files(options.files, options.output, import_options)
    report.tell()
    say(f"Saved to {options.output}.")
    if options.report:
        report.write(options.report)
    for kind in report.trainable():
        config = {"intent": "intent-lstm", "language": "language-cnn", "slots": "slots-lstm"}[kind]
        say(f"Next: python -m training fit --config {config} --dataset {options.output} --output runs/{kind}")


def _column(given: str) -> tuple[str, str]:
    name, equals, found = given.partition("=")
    if not (name and equals and found):
        raise argparse.ArgumentTypeError(f"expected NAME=COLUMN, as in text=question, found {given!r}")
    return name, found


def _add_import(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "import",
        help="make a dataset from Hexabot's or Rasa's training data, or from tables",
        description="Make one dataset from Hexabot's or Rasa's training data, or from tables, and report on every row.",
        epilog=IMPORT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="training data, one or several files")
    parser.add_argument("--output", required=True, type=Path, help="the dataset: .csv, .jsonl or .parquet")
    parser.add_argument("--report", type=Path, help="write the whole report as JSON, with every row that it speaks of")
    parser.add_argument("--language", default="", metavar="CODE", help="the language of rows that say none, as in en")
    parser.add_argument(
        "--split",
        default="",
        metavar="TRAIN,VALID,TEST",
        help="fractions of the rows (0.8,0.1,0.1, unless the files bring a split of their own)",
    )
    for part in ("validation", "test"):
        parser.add_argument(
            f"--{part}",
            action="append",
            default=[],
            type=Path,
            metavar="FILE",
            help=f"training data whose rows are all for {part}, as Hexabot's export of test samples; may be repeated",
        )
    parser.add_argument("--no-split", action="store_true", help="write no column split; training then splits at random")
    parser.add_argument("--seed", type=int, default=42, help="of the split (%(default)s)")
    parser.add_argument(
        "--column", action="append", default=[], type=_column, metavar="NAME=COLUMN", help="read COLUMN as NAME"
    )
    parser.add_argument("--no-header", action="store_true", help="the first line of a CSV is a row like the others")
    parser.add_argument(
        "--slot", action="append", default=[], metavar="NAME", help="a column that holds values of slots"
    )
    parser.add_argument(
        "--trait", action="append", default=[], metavar="NAME", help="a column or entity that is a trait"
    )
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="COLUMN", help="a column or entity to leave out"
    )
    parser.add_argument("--keep-none", action="store_true", help="keep the intent 'none' as a class of its own")
    parser.add_argument("--drop-duplicates", action="store_true", help="keep the first of rows that are the same")
    parser.add_argument("--overwrite", action="store_true", help="replace the dataset and the report if they exist")
    parser.set_defaults(run=_import)


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m training", description="Train language models with Ludwig.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_import(commands)
    fit = commands.add_parser("fit", help="train a model", epilog=EXAMPLES, formatter_class=raw)
    fit.add_argument(
        "--config",
        required=True,
        type=Path,
        help="a Ludwig configuration, or the name of one that comes along: intent-bert, intent-embed, intent-lstm, "
        "intent-minilm, language-cnn, slots-bert, slots-lstm",
    )
    fit.add_argument("--dataset", required=True, type=Path, help="rows to train on: CSV, TSV, JSON, JSONL or Parquet")
    fit.add_argument("--validation", type=Path, help="rows to choose the best epoch by, where they have their own file")
    fit.add_argument("--test", type=Path, help="rows for the final metrics, where they have their own file")
    fit.add_argument("--output", required=True, type=Path, help="folder of the run: the model, its record, its metrics")
    fit.add_argument("--pretrained", help="start transformers from this: a Hugging Face name, a folder, or `minilm`")
    fit.add_argument("--epochs", type=int, help="train so many epochs, whatever the configuration says")
    fit.add_argument("--seed", type=int, default=42, help="of everything random (%(default)s)")
    fit.add_argument("--overwrite", action="store_true", help="replace the output folder if it exists")
    fit.add_argument(
        "--calibrate",
        action="store_true",
        help="scale the probabilities of labels so that they mean what they say (Ludwig's temperature scaling)",
    )
    fit.add_argument(
        "--confidence-threshold",
        type=_accuracy,
        metavar="ACCURACY",
        help="fit the confidence below which an answer counts as unknown, so that the other answers are right this "
        "often, as in 0.95",
    )
    fit.add_argument(
        "--out-of-scope",
        metavar="LABEL",
        help="rows with this label are what the bot cannot answer: they are not trained on, but thresholds are fitted "
        "to refuse them",
    )
    fit.add_argument(
        "--slot-decoding",
        choices=["viterbi", "argmax"],
        default="viterbi",
        help="measure and serve the best tags that make whole slots, or the best tag of each word, as Ludwig answers "
        "(%(default)s)",
    )
    fit.add_argument(
        "--hyperopt",
        action="store_true",
        help="search with the configuration's section `hyperopt`, on Ray; writes best.yaml, to train with, in place of "
        "a run",
    )
    fit.add_argument("--per-intent", action="store_true", help="fit a threshold for each label that has enough rows")
    cluster.add_options(fit)
    fit.set_defaults(run=_fit)
    evaluation.add(commands)
    publishing.add(commands)
    launch.add(commands)
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
