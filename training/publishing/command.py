"""Command-line interface of `ludwig-serverless publish` and `fetch`."""

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
Publish a run, its bundle, or both, with a model card, as one version: a commit and a tag on the Hugging Face Hub, or a
folder in S3. A version is published atomically and never changes. After an interruption, re-run the same command to
resume without sending files again. The bundle must have passed its parity check and come from this model. The default
version is the date and a digest of the content, so that publishing the same content again does nothing.
"""
PUBLISH_EXAMPLES = """
examples:
  ludwig-serverless publish --run runs/intent --bundle bundles/intent --to hf://me/travel-intent --version v3 --private
  ludwig-serverless publish --bundle bundles/intent --to s3://my-bucket/nlu/intent
  ludwig-serverless publish --run runs/intent --bundle bundles/intent --to hf://me/travel-intent --dry-run

The Hub needs a token: run `hf auth login`, or set HF_TOKEN. S3 uses your AWS credentials.

The command sends the model's three files, the bundle, training.json, and the thresholds and metrics. A model's
vocabulary contains words of its training data. A bundle contains up to 8 rows of the data that it was checked on
(`ludwig-serverless export --golden 0` keeps none). A report (--with-report) contains the utterances that the model got
wrong.

Next: serve the URI that the command prints, for example NLU_BUNDLES=hf://me/travel-intent@v3, or
      ludwig-serverless serve s3://my-bucket/nlu/intent/VERSION
"""
FETCH = """
Fetch a published version and verify the SHA-256 of every file.
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
    parser.add_argument("--bundle", type=Path, help="the bundle that `ludwig-serverless export` made from the run")
    parser.add_argument(
        "--to", required=True, metavar="URI", help="where to publish: hf://owner/name or s3://bucket/prefix"
    )
    parser.add_argument("--version", type=_version, help="name of the version, such as v3 (default: date and digest)")
    parser.add_argument(
        "--license", help="the model's license, as the Hub spells it, such as cc-by-4.0 (default: the bundle's)"
    )
    parser.add_argument(
        "--language",
        action="append",
        default=[],
        metavar="CODE",
        help="language of the utterances, such as en; may be repeated",
    )
    parser.add_argument("--private", action="store_true", help="create a private repository (Hub only)")
    add_force(parser, "move an existing tag to the new content (Hub only)", "--replace")
    parser.add_argument(
        "--with-report", action="store_true", help="also publish the evaluation's report, which quotes utterances"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="list the files and print the model card without sending anything"
    )
    parser.set_defaults(run=_publish)


def add_fetch(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `fetch` to its parser."""
    parser.description, parser.epilog = FETCH, FETCH_EXAMPLES
    parser.add_argument("uri", metavar="URI", help="hf://owner/name@version, or s3://bucket/prefix[/version]")
    parser.add_argument("--output", required=True, type=Path, help="the folder to create")
    add_force(parser, "replace the folder if an earlier fetch created it", "--overwrite")
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
        say("Without a license, nobody else may use the model: add one with --license, such as cc-by-4.0.")
    if options.dry_run:
        card = files["README.md"]
        sys.stdout.write(card.decode() if isinstance(card, bytes) else "")
        say(f"Dry run: nothing was sent. Without --dry-run, this publishes {target.address(version)}.")
        return
    if target.publish(version, files, replace=options.force):
        pin = f"#seal={contents.manifest.seal}" if contents.manifest else ""
        say(
            f"Published. Serve it with NLU_BUNDLES={target.address(version)}{pin}, or download it with "
            "`ludwig-serverless fetch`."
        )
    else:
        say("Nothing to do: this content is already published.")
    print(target.address(version))


def _fetch(options: argparse.Namespace) -> None:
    from training.publishing.fetching import fetch

    try:
        listing = fetch(options.uri, options.output, overwrite=options.force)
    except DeploymentError as error:
        raise PublishError(str(error)) from None
    say(f"Fetched version {listing.version}: verified the SHA-256 of {len(listing.files)} files.")
    print(options.output)


def _with_card(contents: "Contents", about: "About", title: str, uri: str, version: str) -> "dict[str, Content]":
    from training.publishing.card import render_card
    from training.publishing.contents import CARD

    return {CARD: render_card(contents, about, title=title, uri=uri, version=version), **contents.files}


def _sealed(version: str, files: "Mapping[str, Content]") -> "dict[str, Content]":
    """Return the files with their listing added."""
    from training.publishing.contents import LISTING, listing

    return {**files, LISTING: listing(version, files).to_json()}


def _derived(digest: str, known: list[str]) -> str:
    """Return the version that already has this content, or else a new one with today's date."""
    return next((name for name in known if name.endswith(f"-{digest}")), f"{datetime.now(UTC):%Y-%m-%d}-{digest}")


def _tell(contents: "Contents", files: "Mapping[str, Content]") -> None:
    sizes = {path: len(found) if isinstance(found, bytes) else found.stat().st_size for path, found in files.items()}
    for path, size in sorted(sizes.items()):
        say(f"  {size / MEGABYTE:9.2f} MB  {path}")
    say(f"  {sum(sizes.values()) / MEGABYTE:9.2f} MB  in {len(sizes)} files")
    if contents.own_rows:
        say(
            f"The bundle contains {contents.own_rows} rows of your data, including their text (golden rows). To keep "
            "none, export it with `ludwig-serverless export --golden 0`."
        )
    if any(path.endswith("report.html") for path in files):
        say("The report quotes utterances that the model got wrong: anyone who can read the published files sees them.")


def _version(given: str) -> str:
    if not VERSION.fullmatch(given) or given in RESERVED or given.endswith((".", ".lock")) or ".." in given:
        raise argparse.ArgumentTypeError(
            f"expected letters, digits, dots and dashes, except {', '.join(sorted(RESERVED))}, found {given!r}"
        )
    return given
