"""The command `ludwig-serverless export`: parse its arguments and export each model."""

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
Export Ludwig models as bundles that the handler serves, and prove that they give the same answers as Ludwig.
Export loads each bundle from disk and compares it with LudwigModel.predict on your own rows (--dataset) and on edge
cases (empty, emoji, Arabic, 400 words, ...). It does not write a bundle that fails or overwrite an existing bundle.
"""
EXAMPLES = """
examples:
  ludwig-serverless export runs/intent bundles/intent --dataset data/test.csv
  ludwig-serverless export runs/intent bundles/intent --dataset data/test.csv --quantize auto
  ludwig-serverless export runs/intent bundles/intent runs/slots bundles/slots
                                                      (exporting several models at once loads Ludwig only once)

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
        help="a model folder from Ludwig or `ludwig-serverless fit`, and the bundle folder to write",
    )
    parser.add_argument("--output", type=Path, metavar="BUNDLE_DIR", help="the bundle folder, for a single MODEL_DIR")
    parser.add_argument("--dataset", type=Path, help="rows for the proof: CSV, TSV, JSON, JSONL or Parquet")
    parser.add_argument("--max-rows", type=int, default=2000, help="maximum number of these rows (%(default)s)")
    parser.add_argument(
        "--golden",
        type=int,
        help="number of these rows to store in the bundle, with their labels, for the check before a deployment takes "
        "traffic; 0 stores no user text (8)",
    )
    parser.add_argument("--name", help="name of the model in the handler (default: the name of its output feature)")
    parser.add_argument("--license", help="the model's license, for the manifest, such as CC-BY-4.0")
    parser.add_argument(
        "--format",
        choices=["onnx", "torchscript"],
        default="onnx",
        help="torchscript is slower and needs torch at serving time (%(default)s)",
    )
    parser.add_argument(
        "--quantize",
        choices=["none", "auto", "dynamic", "per-channel", "static", "blockwise"],
        default="none",
        help="try int8 weights on the rows of --dataset (300 or more): auto keeps the fastest graph that agrees, or "
        "float32 if int8 is not faster; a named mode fails if it does not agree (%(default)s)",
    )
    parser.add_argument(
        "--agreement",
        type=_share,
        default=0.995,
        metavar="SHARE",
        help="minimum share of labels that a quantized graph must preserve (%(default)s)",
    )
    parser.add_argument(
        "--accuracy-loss",
        type=float,
        default=0.2,
        metavar="POINTS",
        help="maximum loss of accuracy, in percentage points, if the rows have labels (%(default)s)",
    )
    parser.add_argument(
        "--slot-decoding",
        choices=["viterbi", "argmax"],
        help="viterbi returns the most probable tags that form complete slots; argmax returns the most probable tag of "
        "each word, as Ludwig does (default: what `ludwig-serverless fit` chose; argmax for other models)",
    )
    parser.add_argument(
        "--language-rule",
        choices=["fitted", "none"],
        default="fitted",
        help="when a language counts as unsure, so that Hexabot keeps the subscriber's language: fitted uses the rule "
        "that `ludwig-serverless fit` found, or a cautious default for other models; none always answers, as Ludwig "
        "does (%(default)s)",
    )
    parser.add_argument(
        "--allow-pickle",
        action="store_true",
        help="read pickled weights of an old Ludwig; only for models that you trust (docs/legacy-models.md)",
    )
    add_force(parser, "replace the bundle in BUNDLE_DIR (default: keep an existing bundle and fail)", "--overwrite")
    parser.add_argument(
        "--allow-failed-proof",
        action="store_true",
        help="write a bundle that failed its proof, for inspection: its manifest stays marked as failed, and "
        "`ludwig-serverless publish`, `ludwig-serverless check` and the check before a deployment reject it",
    )
    parser.set_defaults(run=partial(_run, parser))


def _run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Export each pair of folders. Return the exit status: 0, or 1 if one failed."""
    pairs = _pairs(parser, options)
    if options.name and len(pairs) > 1:
        parser.error("--name is for a single model; several models are named after their output features")
    if len({bundle.resolve() for _, bundle in pairs}) < len(pairs):
        parser.error("two models have the same BUNDLE_DIR: give each model a different one")
    dataset = _check(options, pairs)
    failures = [folder for folder, bundle in pairs if not _export(folder, bundle, dataset, options)]
    return 1 if failures else 0


def _pairs(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[tuple[Path, Path]]:
    """Return pairs of a model folder and its bundle folder."""
    folders: list[Path] = options.folders
    if options.output and len(folders) > 1:
        parser.error("--output is for a single MODEL_DIR without a BUNDLE_DIR")
    folders = [*folders, options.output] if options.output else folders
    if len(folders) % 2:
        parser.error("give pairs of folders: MODEL_DIR BUNDLE_DIR [MODEL_DIR BUNDLE_DIR ...]")
    return list(zip(folders[::2], folders[1::2], strict=True))


def _check(options: argparse.Namespace, pairs: Sequence[tuple[Path, Path]]) -> "pd.DataFrame | None":
    """Check the arguments before Ludwig loads, which takes half a minute. Return the rows for the proof."""
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
