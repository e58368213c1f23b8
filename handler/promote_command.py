"""The command `ludwig-serverless promote`: make a shadow bundle live, and undo it."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from handler.errors import BundleError

if TYPE_CHECKING:
    from handler.promotion import Move

DESCRIPTION = """
Make a shadow the live bundle, after checking its proof, its golden rows and its columns. In a folder of bundles, the
shadow in BUNDLES/shadow takes the place of the live bundle in one step, and the live bundle moves to BUNDLES/previous.
For bundles in S3 or on the Hub, whose locations never change, the command prints the new value of Bundles.
"""
EPILOG = """
examples:
  ludwig-serverless promote bundles intent --dry-run --log service.log     (check, show the agreement, move nothing)
  aws logs tail /aws/lambda/ludwig-nlu --since 7d | ludwig-serverless promote bundles intent --log -
  ludwig-serverless promote bundles intent --undo
  ludwig-serverless promote s3://models/nlu/v3 intent --shadow s3://models/nlu/intent-v4

Next: build and deploy the bundles; the command prints how. docs/shadow.md explains shadows.
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `promote` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument("bundles", metavar="BUNDLES", help="a folder of bundles, or the value of Bundles with URIs")
    parser.add_argument("name", metavar="NAME", help="the name of the model, which the shadow and the live bundle have")
    parser.add_argument("--shadow", metavar="URI", help="where the shadow is, if BUNDLES are in S3 or on the Hub")
    parser.add_argument(
        "--log", metavar="FILE", help="the service's log (- for stdin), to show how often the shadow agreed"
    )
    parser.add_argument(
        "--captured", metavar="FOLDER", help="captured messages, to show about which labels the two disagree"
    )
    parser.add_argument("--dry-run", action="store_true", help="check and show the agreement, but change nothing")
    parser.add_argument("--undo", action="store_true", help="make the bundle live that was live before")
    parser.set_defaults(run=_promote)


def _promote(options: argparse.Namespace) -> None:
    if "://" in options.bundles:
        _promote_remote(options)
    elif options.shadow:
        raise BundleError(
            f"--shadow is for bundles in S3 or on the Hub, but {options.bundles} is a folder: copy the shadow to "
            f"{options.bundles}/shadow/{options.name}, and leave out --shadow."
        )
    else:
        _promote_local(options)


def _promote_local(options: argparse.Namespace) -> None:
    from handler.promotion import carry_out, finish_interrupted, plan

    root = Path(options.bundles)
    if interrupted := finish_interrupted(root):
        print(f"Finished a promotion that was interrupted: {interrupted.name} is {interrupted.seal[:12]} now.")
        if interrupted.name == options.name and (interrupted.kind == "undo") == options.undo:
            _print_next(root, interrupted)
            return
    move = plan(root, options.name, undo=options.undo)
    _check(root / move.live, root / move.source, is_shadow=not options.undo)
    _print_agreement(options, move.seal)
    if options.dry_run:
        print(f"{options.name}: {root / move.source} can take the place of {root / move.live}. Nothing was changed.")
        return
    carry_out(root, move)
    _print_next(root, move)


def _promote_remote(options: argparse.Namespace) -> None:
    from handler.remote_promotion import changed_bundles

    if options.undo or not options.shadow:
        raise BundleError(
            "Locations in S3 and on the Hub never change, so there is nothing to move: to promote, name the shadow's "
            "location with --shadow URI; to undo, deploy with the earlier value of Bundles."
        )
    changed = changed_bundles(options.bundles, options.name, options.shadow)
    _check(changed.live, changed.shadow, is_shadow=True)
    _print_agreement(options, changed.seal)
    print(
        f"{options.name}: {options.shadow} can be the live bundle. Set these parameters in samconfig.toml, or with "
        "`sam deploy --parameter-overrides`,\nand remove the shadow from ShadowBundles. BundlePrefix must allow "
        f"reading both.\n\n  Bundles={changed.bundles}\n  ExpectedModels={changed.expected_models}\n\n"
        f"To undo it, deploy with the earlier value:\n\n  Bundles={options.bundles}"
    )


def _check(live: Path, shadow: Path, *, is_shadow: bool) -> None:
    """Load both bundles. Raise BundleError if one is altered, if they do not match, or if golden rows changed.

    A bundle that was live before was checked when it was deployed, and its golden rows stop no rollback.
    """
    from handler.local_commands import require_golden
    from handler.predictor import Predictor
    from handler.shadow_bundles import mismatch

    current, new = Predictor(live), Predictor(shadow)
    name = new.manifest.name
    if problem := mismatch({name: current}, new, str(shadow)):
        raise BundleError(problem)
    if is_shadow:
        rows = require_golden({name: new})
        print(f"{name}: the proof holds, and all {rows} golden rows have the same answers as at export.")


def _print_agreement(options: argparse.Namespace, seal: str) -> None:
    """Print how often the shadow agreed with the live bundle, from what the command line gives."""
    from handler.shadow_report import agreement_in_log, captured_disagreements, described, described_captured

    if options.undo:
        return
    if options.log:
        print(described(agreement_in_log(_lines(options.log), options.name, seal)))
    if options.captured:
        if not Path(options.captured).is_dir():
            raise BundleError(
                f"{options.captured} is not a folder: copy the captured messages to one, such as with `aws s3 sync`."
            )
        print(described_captured(captured_disagreements(options.captured, seal), options.captured))
    if not options.log and not options.captured:
        print("Give --log or --captured to see how often the shadow agrees with the live bundle.", file=sys.stderr)


def _lines(file: str) -> Iterator[str]:
    """Yield the lines of a log, which may be larger than the memory."""
    if file == "-":
        yield from sys.stdin
        return
    try:
        with open(file, encoding="utf-8", errors="replace") as lines:
            yield from lines
    except OSError as error:
        raise BundleError(f"{file} cannot be read ({error.strerror}): give the service's log, or -.") from None


def _print_next(root: Path, move: "Move") -> None:
    from handler.promotion import bundles_in, manifest_of

    seals = {name: manifest_of(folder).seal for name, folder in bundles_in(root).items()}
    expected = ",".join(f"{name}@{seal[:12]}" for name, seal in sorted(seals.items()))
    print(f"{move.name}: {root / move.live} is {move.seal[:12]} now, and {root / move.target} has the former bundle.")
    print(f"Next: restart `ludwig-serverless serve`, or build and deploy with ExpectedModels={expected}")
    if move.kind == "promote":
        print(f"To undo it: ludwig-serverless promote {root} {move.name} --undo")
    else:
        print(f"To promote it again: ludwig-serverless promote {root} {move.name}")
