"""`ludwig-serverless import`, on a command line."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from export.console import say
from handler.command_line import add_force
from training.errors import DatasetError

if TYPE_CHECKING:
    from training.imports.options import ImportOptions

DESCRIPTION = """
Make one dataset from Hexabot's or Rasa's training data, or from tables, and report on every row.
"""
EXAMPLES = """
files, told by their ending, and within JSON by their content:
  .json           Hexabot's export (NLU > samples > export), whichever helper is active; Rasa's JSON and what its parser
                  answers; exports of LUIS, CLU, Snips and Watson; CLINC's dataset; any list of objects
  .csv .tsv       Hexabot's CSV, or any other; separated by , ; | or tabs, whichever the header shows
  .yml .yaml      Rasa's NLU data: intents with [Paris](city), synonyms, lookup tables; other files of Rasa are skipped
  .jsonl .ndjson  one object on each line, as MASSIVE has them
  .parquet        one row for each text
  .conll .iob     a word and its BIO tag on each line
  .zip, a folder  Dialogflow's export
Text files may be UTF-8, UTF-16 or Windows-1252.

The dataset has the columns text, intent, slots, language, any other traits, and split (0 train, 1 validation, 2 test).
slots holds one BIO tag for each word. A slot is where its offsets say, if they fall on borders of words; otherwise its
value, a synonym or a value of its lookup table is looked for in the text. Where a value is not found, or several times,
the row keeps its intent and has no slots. Of several files, the synonyms of each serve all.

An entity that never has offsets, in a file whose other entities always have, is a trait. So is a column whose values
are not parts of the texts. --slot and --trait decide otherwise, --ignore leaves a column or an entity out.
--validation and --test take files whose rows are all for one part; a part without a file is taken from the other rows.

examples:
  ludwig-serverless import nlpsample.json --output data.csv
  ludwig-serverless import nlu.yml more.csv --language en --output data.csv --report report.json
  ludwig-serverless import samples.csv --column text=question --column intent=label --output data.jsonl
  ludwig-serverless import train.json --test test.json --output data.csv
  ludwig-serverless import samples.csv --slot city --trait mood --split 0.7,0.15,0.15 --output data.parquet
  ludwig-serverless import samples.csv --ignore norm --output data.csv
  ludwig-serverless import headerless.csv --no-header --output data.csv
  ludwig-serverless import dialogflow-agent.zip --output data.csv

Next: read the report on stderr, which names each row that was dropped, corrected or doubtful, and train:
  ludwig-serverless fit --config intent-lstm --dataset data.csv --output runs/intent
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `import` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="training data, one or several files")
    parser.add_argument("--output", required=True, type=Path, help="the dataset: .csv, .jsonl or .parquet")
    parser.add_argument("--report", type=Path, help="write the whole report as JSON, with every row that it speaks of")
    add_data_options(parser)
    add_force(parser, "replace the dataset and the report if they exist", "--overwrite")
    parser.set_defaults(run=_import)


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how files are read to a parser; `read_data_options` reads them."""
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


def read_data_options(options: argparse.Namespace) -> "ImportOptions":
    """Return what the options of `add_data_options` say."""
    from training.imports.options import ImportOptions

    return ImportOptions(
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


def _import(options: argparse.Namespace) -> None:
    from training.imports.importing import import_files

    for path in filter(None, (options.output, options.report)):
        if path.exists() and not options.force:
            raise DatasetError(f"{path} exists: give another name, or --force.")
        if any(path.resolve() == file.resolve() for file in [*options.files, *options.validation, *options.test]):
            raise DatasetError(f"{path} is read and would be written: give another name.")
    report = import_files(options.files, options.output, read_data_options(options))
    report.tell()
    say(f"Saved to {options.output}.")
    if options.report:
        report.write(options.report)
    for kind in report.trainable():
        config = {"intent": "intent-lstm", "language": "language-cnn", "slots": "slots-lstm"}[kind]
        say(f"Next: ludwig-serverless fit --config {config} --dataset {options.output} --output runs/{kind}")


def _column(given: str) -> tuple[str, str]:
    name, equals, found = given.partition("=")
    if not (name and equals and found):
        raise argparse.ArgumentTypeError(f"expected NAME=COLUMN, as in text=question, found {given!r}")
    return name, found
