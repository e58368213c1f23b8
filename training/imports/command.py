"""The `ludwig-serverless import` command."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from export.console import say
from handler.command_line import add_force
from training.errors import DatasetError

if TYPE_CHECKING:
    from training.imports.options import ImportOptions

DESCRIPTION = """
Convert training data from Hexabot, Rasa and other tools, or from tables, to one dataset. The report lists every row
that was dropped or changed.
"""
EXAMPLES = """
File formats, recognized by extension, and JSON by content:
  .json           Hexabot's export (NLU > samples > export), with any helper active; Rasa's JSON and the output of its
                  parser; exports of LUIS, CLU, Snips and Watson; CLINC's dataset; any list of objects
  .csv .tsv       Hexabot's CSV or any other, with , ; | or tabs as separators
  .yml .yaml      Rasa's NLU data: intents with [Paris](city), synonyms, lookup tables; Rasa's other files are skipped
  .jsonl .ndjson  one object per line, as in MASSIVE
  .parquet        one row per text
  .conll .iob     one word and its BIO tag per line
  .zip, a folder  Dialogflow's export
Text files may be UTF-8, UTF-16 or Windows-1252.

The dataset has the columns text, intent, slots, language, other traits, and split (0 train, 1 validation, 2 test).
The column slots has one BIO tag per word. The offsets of a slot count if they match word boundaries. Otherwise the
import searches the text for the value, its synonyms and its lookup table. If a value occurs never or several times,
the row keeps its intent but has no slots. The synonyms of each file apply to all files.

An entity that never has offsets is a trait if the file's other entities always have them. A column is a trait if its
values do not occur in the texts. --slot and --trait override this, and --ignore leaves out a column or an entity.
--validation and --test read files for one part of the split. A part without a file gets rows of the other files.

examples:
  ludwig-serverless import nlpsample.json --output data.csv
  ludwig-serverless import nlu.yml more.csv --language en --output data.csv --report report.json
  ludwig-serverless import samples.csv --column text=question --column intent=label --output data.jsonl
  ludwig-serverless import train.json --test test.json --output data.csv
  ludwig-serverless import samples.csv --slot city --trait mood --split 0.7,0.15,0.15 --output data.parquet
  ludwig-serverless import samples.csv --ignore norm --output data.csv
  ludwig-serverless import headerless.csv --no-header --output data.csv
  ludwig-serverless import dialogflow-agent.zip --output data.csv

Next: read the report on stderr, which lists dropped, corrected and doubtful rows, and train:
  ludwig-serverless fit --learn intent --dataset data.csv --output runs/intent
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `import` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="one or more files of training data")
    parser.add_argument("--output", required=True, type=Path, help="the dataset: .csv, .jsonl or .parquet")
    parser.add_argument("--report", type=Path, help="write the full report with every row as JSON")
    add_data_options(parser)
    add_force(parser, "replace the dataset and the report if they exist", "--overwrite")
    parser.set_defaults(run=_import)


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for reading files to a parser. `read_data_options` reads their values."""
    parser.add_argument("--language", default="", metavar="CODE", help="the language of rows without one, such as en")
    parser.add_argument(
        "--split",
        default="",
        metavar="TRAIN,VALID,TEST",
        help="fractions of the rows (default: the split in the files, or 0.8,0.1,0.1)",
    )
    for part in ("validation", "test"):
        parser.add_argument(
            f"--{part}",
            action="append",
            default=[],
            type=Path,
            metavar="FILE",
            help=f"training data only for {part}, such as Hexabot's export of test samples; may be repeated",
        )
    parser.add_argument(
        "--no-split", action="store_true", help="do not write the column split; training then splits at random"
    )
    parser.add_argument("--seed", type=int, default=42, help="the random seed of the split (default: %(default)s)")
    parser.add_argument(
        "--column", action="append", default=[], type=_column, metavar="NAME=COLUMN", help="read COLUMN as NAME"
    )
    parser.add_argument("--no-header", action="store_true", help="the first line of a CSV is a row, not a header")
    parser.add_argument("--slot", action="append", default=[], metavar="NAME", help="a column or entity that is a slot")
    parser.add_argument(
        "--trait", action="append", default=[], metavar="NAME", help="a column or entity that is a trait"
    )
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="COLUMN", help="a column or entity to leave out"
    )
    parser.add_argument("--keep-none", action="store_true", help="keep the intent 'none' as a class")
    parser.add_argument("--drop-duplicates", action="store_true", help="keep only the first of identical rows")


def read_data_options(options: argparse.Namespace) -> "ImportOptions":
    """Return the values of the options of `add_data_options`."""
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
            raise DatasetError(f"{path} already exists: choose another name, or pass --force.")
        if any(path.resolve() == file.resolve() for file in [*options.files, *options.validation, *options.test]):
            raise DatasetError(f"{path} is both input and output: choose another output name.")
    report = import_files(options.files, options.output, read_data_options(options))
    report.tell()
    say(f"Saved to {options.output}.")
    if options.report:
        report.write(options.report)
    for kind in report.trainable():
        say(f"Next: ludwig-serverless fit --learn {kind} --dataset {options.output} --output runs/{kind}")


def _column(given: str) -> tuple[str, str]:
    name, equals, found = given.partition("=")
    if not (name and equals and found):
        raise argparse.ArgumentTypeError(f"expected NAME=COLUMN, such as text=question, got {given!r}")
    return name, found
