"""The command `ludwig-serverless batch`: answer tables of any size."""

import argparse

from handler.serve_command import BUNDLES_HELP

DESCRIPTION = """
Answer every row of CSV, JSON Lines or Parquet files with bundles, in constant memory and with one process per core. The
answers are written part by part. After an interruption, the same command continues with the parts that are missing.
"""
EPILOG = """
examples:
  ludwig-serverless batch messages.csv answers --bundles bundles
  ludwig-serverless batch s3://chats/2026/ s3://answers/2026/ --bundles s3://models/v3 --format jsonl
  ludwig-serverless batch messages.parquet answers --bundles bundles/intent --keep id --columns predicted_intent
  ludwig-serverless batch s3://chats/2026 s3://answers/2026 --bundles s3://models/v3 --engine spark --master yarn

The output folder gets part-FILE-NUMBER.parquet for the answers, errors/part-FILE-NUMBER.jsonl for rows that cannot be
read or answered, each with its reason, and batch.json, the plan. Columns of CSV and JSON Lines files stay text.

Next: read the answers, for example with pandas.read_parquet("answers").
"""
PART_ROWS = 20_000


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `batch` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument("input", help="a file, a folder of files, or s3://bucket/prefix", metavar="INPUT")
    parser.add_argument("output", help="a new folder for the answers, or s3://bucket/prefix", metavar="OUTPUT")
    parser.add_argument("--bundles", nargs="+", required=True, metavar="BUNDLE", help=BUNDLES_HELP)
    parser.add_argument(
        "--answer",
        choices=["compact", "ludwig"],
        default="compact",
        help="compact: intent, language and entities, with thresholds applied; ludwig: Ludwig's columns of each model "
        "(default: %(default)s)",
    )
    parser.add_argument("--columns", nargs="+", default=[], metavar="NAME", help="columns of the answer to write (all)")
    parser.add_argument("--keep", nargs="*", metavar="NAME", help="columns of the input to write (default: all)")
    parser.add_argument(
        "--text-column", default="text", metavar="NAME", help="column with the messages (default: %(default)s)"
    )
    parser.add_argument(
        "--format", choices=["parquet", "csv", "jsonl"], default="parquet", help="of the answers (default: %(default)s)"
    )
    parser.add_argument(
        "--engine",
        choices=["local", "ray", "spark"],
        default="local",
        help="local: this machine; ray, spark: a cluster, whose machines must see the files (default: %(default)s)",
    )
    parser.add_argument(
        "--master",
        metavar="URL",
        help="of the Spark cluster, such as spark://head:7077 or yarn (default: that of Spark's configuration, or else "
        "this machine). The environment variable RAY_ADDRESS names a Ray cluster",
    )
    parser.add_argument(
        "--processes",
        type=_count,
        metavar="N",
        help="processes that answer (default: one for each core of this machine or of the Ray cluster; not for Spark)",
    )
    parser.add_argument(
        "--part-rows", type=_count, default=PART_ROWS, metavar="N", help="rows in one part (default: %(default)s)"
    )
    parser.add_argument(
        "--default-language", default="en", metavar="CODE", help="language if no model is sure (default: %(default)s)"
    )
    parser.set_defaults(run=_run)


def _count(given: str) -> int:
    if not given.isascii() or not given.isdigit() or int(given) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above zero, got {given!r}")
    return int(given)


def _run(options: argparse.Namespace) -> None:
    from ludwig_serverless.batch.batch import answer_batch

    answer_batch(options)
