"""Command-line interface of `ludwig-serverless train-many`."""

import argparse
from pathlib import Path

DESCRIPTION = """
Train the models of many bots, from one manifest: each entry is a `train` or a `fit` in a process of its own. One that
fails does not stop the others. The command writes one report of all entries.
"""
EXAMPLES = """
examples:
  ludwig-serverless train-many bots.yaml --output bots --check
  ludwig-serverless train-many bots.yaml --output bots --workers 4
  ludwig-serverless train-many bots.yaml --output /efs/bots --engine ray --address auto

bots.yaml:
  defaults: {prefer: fast, budget-minutes: 5}
  bots:
    hotel-en: {files: hotel-en.json, language: en}
    bank: {files: [bank-en.csv, bank-fr.csv], seed: 7}
    shop-intent: {dataset: shop.csv, config: intent-light}

An entry with `files` runs `train`: from exports to bundles. One with `dataset` runs `fit`: from a dataset to a run. Its
keys are the options of that command, and relative paths start from the manifest's folder. Defaults apply to each entry
whose command has the option.

OUTPUT/NAME gets an entry's bundles, runs and log; OUTPUT gets report.html, report.json and report.csv. After an
interruption, or a change of some entries, run the same command again: it resumes, and skips entries that are finished
and whose data and options are the same. The exit status is 1 if any entry failed.

Next: open OUTPUT/report.html, then ludwig-serverless ask OUTPUT/NAME/bundles 'some text'
"""
RETRIES = 2


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `train-many` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("manifest", type=Path, metavar="MANIFEST", help="a YAML file with an entry for each bot")
    parser.add_argument("--output", required=True, type=Path, help="folder for all entries and the report")
    parser.add_argument("--check", action="store_true", help="check the manifest, say what is to train, and stop")
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="local: this machine; ray: a Ray cluster whose machines all see the files and OUTPUT "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=_count,
        metavar="N",
        help="entries to train at once (default: one for each core; with ray, as many as the cluster has room for)",
    )
    parser.add_argument(
        "--retries",
        type=_whole,
        default=RETRIES,
        metavar="N",
        help="how often to try an entry again that crashed or whose worker was lost (default: %(default)s)",
    )
    parser.add_argument(
        "--cpus", type=_count, default=1, metavar="N", help="threads of each entry (default: %(default)s)"
    )
    parser.add_argument(
        "--gpus", type=float, default=0.0, metavar="N", help="with ray: GPUs of each entry (default: %(default)g)"
    )
    parser.add_argument(
        "--address",
        default="auto",
        metavar="HOST:PORT",
        help="with ray: address of the head node (default: RAY_ADDRESS, or the local cluster)",
    )
    parser.set_defaults(run=_run)


def _whole(given: str) -> int:
    if not given.isascii() or not given.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number, got {given!r}")
    return int(given)


def _count(given: str) -> int:
    found = _whole(given)
    if found == 0:
        raise argparse.ArgumentTypeError("expected a whole number above zero")
    return found


def _run(options: argparse.Namespace) -> int:
    from training.many.train_many import train_many

    return train_many(options)
