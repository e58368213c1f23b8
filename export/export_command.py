"""`ludwig-serverless export`, on a command line."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from export.console import say
from export.errors import ExportError
from handler.command_line import add_force
from handler.errors import ServingError

if TYPE_CHECKING:
    import pandas as pd

DESCRIPTION = """
Turn models that Ludwig trained into bundles that the handler serves, and prove that they answer as Ludwig does.
Each bundle is read back from disk and asked beside LudwigModel.predict, on rows of your own (--dataset) and on odd ones
(empty, emoji, Arabic, 400 words, ...). A bundle that fails is not written, and a bundle that exists is not replaced.
"""
EXAMPLES = """
examples:
  ludwig-serverless export runs/intent bundles/intent --dataset data/test.csv
  ludwig-serverless export runs/intent bundles/intent --dataset data/test.csv --quantize auto
  ludwig-serverless export runs/intent bundles/intent runs/slots bundles/slots
                                                      (several in one process: Ludwig loads once)

Next: ludwig-serverless ask bundles/intent 'some text'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `export` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument(
        "folders",
        nargs="+",
        type=Path,
        metavar="MODEL_DIR BUNDLE_DIR",
        help="a folder that Ludwig or `ludwig-serverless fit` wrote, and the folder to make of it",
    )
    parser.add_argument("--dataset", type=Path, help="rows to prove the bundles on: CSV, TSV, JSON, JSONL or Parquet")
    parser.add_argument("--max-rows", type=int, default=2000, help="use at most so many of them (%(default)s)")
    parser.add_argument(
        "--golden",
        type=int,
        help="how many of them the bundle keeps, with their labels, to be asked again before a deployment takes "
        "traffic; 0 keeps nobody's words (8)",
    )
    parser.add_argument("--name", help="what the handler calls the model (default: its output feature's name)")
    parser.add_argument("--license", help="the model's licence, for the manifest, such as CC-BY-4.0")
    parser.add_argument(
        "--format",
        choices=["onnx", "torchscript"],
        default="onnx",
        help="torchscript needs torch where it is served, and is slower (%(default)s)",
    )
    parser.add_argument(
        "--quantize",
        choices=["none", "auto", "dynamic", "per-channel", "static"],
        default="none",
        help="try int8 weights on the rows of --dataset (300 or more): auto keeps the fastest graph that is faster and "
        "agrees, a mode by its name is refused if it does not agree (%(default)s)",
    )
    parser.add_argument(
        "--agreement",
        type=_share,
        default=0.995,
        metavar="SHARE",
        help="of the labels that a quantised graph must keep (%(default)s)",
    )
    parser.add_argument(
        "--accuracy-loss",
        type=float,
        default=0.2,
        metavar="POINTS",
        help="of accuracy that it may lose, where the rows are labelled (%(default)s)",
    )
    parser.add_argument(
        "--slot-decoding",
        choices=["viterbi", "argmax"],
        help="viterbi gives Hexabot the best tags that make whole slots, argmax the best tag of each word, as Ludwig "
        "does (default: what `ludwig-serverless fit` measured; argmax for other models)",
    )
    parser.add_argument(
        "--language-rule",
        choices=["fitted", "none"],
        default="fitted",
        help="when a language counts as unsure, so that Hexabot keeps the subscriber's: as `ludwig-serverless fit` "
        "found, with a cautious default for other models; or never, as Ludwig does (%(default)s)",
    )
    parser.add_argument(
        "--allow-pickle",
        action="store_true",
        help="read weights that an old Ludwig pickled; give it for models that you trust (docs/legacy-models.md)",
    )
    add_force(parser, "replace the bundle in BUNDLE_DIR; without it, a bundle that exists is left alone", "--overwrite")
    parser.add_argument(
        "--allow-failed-proof",
        action="store_true",
        help="write a bundle that failed, to look into it: its manifest says so for good, and `ludwig-serverless "
        "publish`, `ludwig-serverless check` and the check before a deployment refuse it",
    )
    parser.set_defaults(run=partial(_run, parser))


def _run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Export each pair of folders. Returns the exit status: 0, or 1 if one failed."""
    if len(options.folders) % 2:
        parser.error("give pairs of folders: MODEL_DIR BUNDLE_DIR [MODEL_DIR BUNDLE_DIR ...]")
    pairs = list(zip(options.folders[::2], options.folders[1::2], strict=True))
    if options.name and len(pairs) > 1:
        parser.error("--name goes with one model; several are named after their output features")
    if len({bundle.resolve() for _, bundle in pairs}) < len(pairs):
        parser.error("two models cannot become one bundle: give each a BUNDLE_DIR of its own")
    dataset = _check(options, pairs)
    failures = [folder for folder, bundle in pairs if not _export(folder, bundle, dataset, options)]
    return 1 if failures else 0


def _check(options: argparse.Namespace, pairs: Sequence[tuple[Path, Path]]) -> "pd.DataFrame | None":
    """Find what is wrong before the half minute that Ludwig takes to load. Returns the rows to prove bundles on."""
    from export.build import check_target
    from export.model import find_model_folder
    from export.rows import read_rows

    for folder, bundle in pairs:
        find_model_folder(folder, allow_pickle=options.allow_pickle)
        check_target(bundle, force=options.force)
    return read_rows(options.dataset).head(options.max_rows) if options.dataset else None


def _export(folder: Path, bundle: Path, dataset: "pd.DataFrame | None", options: argparse.Namespace) -> bool:
    from export.build import export_model
    from export.certificate import certificate
    from export.model import load_model
    from export.quantize import QuantizeOptions
    from handler.certificate import GOLDEN_ROWS

    try:
        manifest = export_model(
            load_model(folder, allow_pickle=options.allow_pickle),
            bundle,
            name=options.name,
            dataset=dataset,
            license_name=options.license,
            graph_format=options.format,
            golden=GOLDEN_ROWS if options.golden is None else options.golden,
            quantize=QuantizeOptions(options.quantize, options.agreement, options.accuracy_loss),
            slot_decoding=options.slot_decoding,
            language_rule=options.language_rule,
            force=options.force,
            allow_failed_proof=options.allow_failed_proof,
        )
    except (ExportError, ServingError) as error:
        print(f"error: {folder}: {error}", file=sys.stderr)
        return False
    print(certificate(manifest))
    say(f"Written to {bundle}. Try: ludwig-serverless ask {bundle} 'some text'")
    return True


def _share(given: str) -> float:
    share = float(given)
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"expected a share such as 0.995, found {given}")
    return share
