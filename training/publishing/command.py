"""`ludwig-serverless publish` and `fetch`, on a command line."""

import argparse
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from export.console import say
from handler.command_line import add_force
from handler.errors import DeploymentError
from training.errors import PublishError

if TYPE_CHECKING:
    from training.publishing.card import About
    from training.publishing.contents import Content, Contents

PUBLISH = """
Publish a run, its bundle, or both, with a model card, as one version: on the Hugging Face Hub as a commit and a tag, in
S3 as a folder. A version appears whole or not at all, and does not change; what was sent before a publication broke off
is not sent again. The bundle must be proven, and of this very model. Without --version, the date and a digest of the
content are the version, so the same content is published once.
"""
PUBLISH_EXAMPLES = """
examples:
  ludwig-serverless publish --run runs/intent --bundle bundles/intent --to hf://me/travel-intent --version v3 --private
  ludwig-serverless publish --bundle bundles/intent --to s3://my-bucket/nlu/intent
  ludwig-serverless publish --run runs/intent --bundle bundles/intent --to hf://me/travel-intent --dry-run

The Hub asks for a token: `hf auth login`, or HF_TOKEN. S3 takes the keys that any program for AWS takes.

What is sent: the model's three files, the bundle, training.json, and its thresholds and metrics. A model
holds the words of its training data in its vocabulary, a bundle up to 8 rows of the data that it was proven on
(`ludwig-serverless export --golden 0` keeps none), a report (--with-report) the utterances that the model got wrong.

Next: serve what the command prints, as in NLU_BUNDLES=hf://me/travel-intent@v3, or
      ludwig-serverless serve s3://my-bucket/nlu/intent/VERSION
"""
FETCH = """
Fetch a published version, and check every file against the SHA-256 that was published with it.
"""
FETCH_EXAMPLES = """
examples:
  ludwig-serverless fetch hf://me/travel-intent@v3 --output models/intent
  ludwig-serverless fetch s3://my-bucket/nlu/intent --output models/intent          (the latest version)

Next: ludwig-serverless serve models/intent                (the bundle)
      ludwig-serverless export models/intent bundles/new   (the model)
"""
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
RESERVED = {"latest", "main", "HEAD"}
MEGABYTE = 1_000_000


def add_publish(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `publish` to its parser."""
    parser.description, parser.epilog = PUBLISH, PUBLISH_EXAMPLES
    parser.add_argument(
        "--run", type=Path, dest="run_folder", metavar="RUN", help="a folder of `ludwig-serverless fit`"
    )
    parser.add_argument("--bundle", type=Path, help="what `ludwig-serverless export` made of it")
    parser.add_argument("--to", required=True, metavar="PLACE", help="hf://owner/name or s3://bucket/prefix")
    parser.add_argument("--version", type=_version, help="a name for it, such as v3 (default: date and digest)")
    parser.add_argument(
        "--license", help="of the model, as the Hub writes it, such as cc-by-4.0 (default: the bundle's)"
    )
    parser.add_argument(
        "--language", action="append", default=[], metavar="CODE", help="of the utterances, such as en; may be repeated"
    )
    parser.add_argument("--private", action="store_true", help="on the Hub: make the repository private")
    add_force(parser, "on the Hub: let a tag that exists name the new content", "--replace")
    parser.add_argument(
        "--with-report", action="store_true", help="send the evaluation's report too, which quotes utterances"
    )
    parser.add_argument("--dry-run", action="store_true", help="send nothing: list the files, and print the card")
    parser.set_defaults(run=_publish)


def add_fetch(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `fetch` to its parser."""
    parser.description, parser.epilog = FETCH, FETCH_EXAMPLES
    parser.add_argument("place", metavar="PLACE", help="hf://owner/name@version, or s3://bucket/prefix[/version]")
    parser.add_argument("--output", required=True, type=Path, help="the folder to make")
    add_force(parser, "replace the folder if it was fetched before", "--overwrite")
    parser.set_defaults(run=_fetch)


def _publish(options: argparse.Namespace) -> None:
    from training.publishing.card import About, license_of
    from training.publishing.contents import digest_of, gather
    from training.publishing.targets import find_target

    about = About(license=options.license, languages=tuple(options.language))
    target = find_target(options.to, private=options.private)
    try:
        contents = gather(options.run_folder, options.bundle, with_report=options.with_report)
    except DeploymentError as error:
        raise PublishError(str(error)) from None
    digest = digest_of(_with_card(contents, about, target.title, target.address("VERSION"), "VERSION"))
    known = [] if options.dry_run else target.versions()
    version = options.version or _derived(digest, known)
    files = _sealed(version, _with_card(contents, about, target.title, target.address(version), version))
    _tell(contents, files)
    if not license_of(contents, about):
        say("No licence is given, so nobody else may use the model: say which one with --license, such as cc-by-4.0.")
    if options.dry_run:
        card = files["README.md"]
        sys.stdout.write(card.decode() if isinstance(card, bytes) else "")
        say(f"Nothing was sent. Without --dry-run this becomes {target.address(version)}.")
        return
    if target.publish(version, files, replace=options.force):
        pin = f"#seal={contents.manifest.seal}" if contents.manifest else ""
        say(
            f"Published. Serve it with NLU_BUNDLES={target.address(version)}{pin}, or bring it back with "
            "`ludwig-serverless fetch`."
        )
    else:
        say("Nothing to do: exactly this is published already.")
    print(target.address(version))


def _fetch(options: argparse.Namespace) -> None:
    from training.publishing.fetching import fetch

    try:
        listing = fetch(options.place, options.output, overwrite=options.force)
    except DeploymentError as error:
        raise PublishError(str(error)) from None
    say(f"Version {listing.version}: {len(listing.files)} files, each with the SHA-256 that it was published with.")
    print(options.output)


def _with_card(contents: "Contents", about: "About", title: str, place: str, version: str) -> "dict[str, Content]":
    from training.publishing.card import render_card
    from training.publishing.contents import CARD

    return {CARD: render_card(contents, about, title=title, place=place, version=version), **contents.files}


def _sealed(version: str, files: "Mapping[str, Content]") -> "dict[str, Content]":
    """Return the files with the listing of them."""
    from training.publishing.contents import LISTING, listing

    return {**files, LISTING: listing(version, files).to_json()}


def _derived(digest: str, known: list[str]) -> str:
    """Return the version that has this content already, or else one of today."""
    return next((name for name in known if name.endswith(f"-{digest}")), f"{datetime.now(UTC):%Y-%m-%d}-{digest}")


def _tell(contents: "Contents", files: "Mapping[str, Content]") -> None:
    sizes = {path: len(found) if isinstance(found, bytes) else found.stat().st_size for path, found in files.items()}
    for path, size in sorted(sizes.items()):
        say(f"  {size / MEGABYTE:9.2f} MB  {path}")
    say(f"  {sum(sizes.values()) / MEGABYTE:9.2f} MB  in {len(sizes)} files")
    if contents.own_rows:
        say(
            f"The bundle holds {contents.own_rows} rows of the data that it was proven on, with their words (golden "
            "rows): `ludwig-serverless export --golden 0` keeps none."
        )
    if any(path.endswith("report.html") for path in files):
        say("The report quotes utterances that the model got wrong: whoever reads the place reads them.")


def _version(given: str) -> str:
    if not VERSION.fullmatch(given) or given in RESERVED or given.endswith((".", ".lock")) or ".." in given:
        raise argparse.ArgumentTypeError(
            f"expected letters, digits, dots and dashes, and none of {', '.join(sorted(RESERVED))}, found {given!r}"
        )
    return given
