"""Make a shadow the live bundle of its folder, and undo it, without a moment in which the folder has no live bundle.

A folder of bundles has the live bundles in its subfolders, their shadows in `shadow/`, and the formerly live ones in
`previous/`. Before the first step, a journal in the folder says which bundle becomes the live one. So a promotion that
was interrupted, at any step, is finished by the next one.
"""

import shutil
from pathlib import Path
from typing import Literal

import msgspec

from handler.bundle import MANIFEST, Manifest, parse_manifest
from handler.errors import BundleError
from handler.observers import SHADOW
from handler.swapping import exchange

PREVIOUS = "previous"
"""The folder in a folder of bundles that contains the bundles that were live before the last promotions."""
JOURNAL = ".promotion.json"
SPARE, REPLACED = ".promotion-spare", ".promotion-replaced"


class Move(msgspec.Struct, frozen=True):
    """A promotion, or its undoing.

    Attributes:
        kind: Whether a shadow becomes live, or the bundle that was live before.
        name: The model's name.
        seal: The seal of the bundle that becomes live.
        live: The folder of the live bundle.
        source: The folder of the bundle that becomes live. All folders are relative to the folder of bundles.
        target: The folder that the formerly live bundle moves to.
    """

    kind: Literal["promote", "undo"]
    name: str
    seal: str
    live: str
    source: str
    target: str


def bundles_in(folder: Path) -> dict[str, Path]:
    """Return the folder of each bundle in a folder, by the name of its model.

    Args:
        folder: A folder of bundles.

    Returns:
        The bundles; none if the folder does not exist.

    Raises:
        BundleError: A manifest is invalid, or two bundles have the same name.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.glob(f"*/{MANIFEST}")):
        name = manifest_of(path.parent).name
        if name in found:
            raise BundleError(
                f"{found[name]} and {path.parent} are both named {name!r}: remove the one that is not used."
            )
        found[name] = path.parent
    return found


def plan(root: Path, name: str, *, undo: bool = False) -> Move:
    """Find the bundles of a promotion. This changes nothing.

    Args:
        root: The folder of bundles.
        name: The model's name.
        undo: Whether the bundle that was live before becomes live again.

    Returns:
        The promotion, for `carry_out`.

    Raises:
        BundleError: A bundle is missing, or another one is in the way.
    """
    kept = PREVIOUS if undo else SHADOW
    live, waiting = bundles_in(root), bundles_in(root / kept)
    if name not in live:
        raise BundleError(
            f"{root} contains no live bundle named {name!r} (found {', '.join(live) or 'none'}): name one of them."
        )
    if name not in waiting:
        found = f"found {', '.join(waiting) or 'none'}"
        raise BundleError(
            f"{root / kept} contains no bundle named {name!r} ({found}): nothing was promoted that can be undone."
            if undo
            else f"{root / kept} contains no bundle named {name!r} ({found}): export the new model to "
            f"{root / kept / live[name].name} with --name {name}."
        )
    target = root / (SHADOW if undo else PREVIOUS) / live[name].name
    if undo and (target.exists() or name in bundles_in(root / SHADOW)):
        raise BundleError(
            f"{root / SHADOW} contains another shadow of {name!r}, and the live bundle would move there: move that "
            "shadow away first."
        )
    seal = manifest_of(waiting[name]).seal
    if seal == manifest_of(live[name]).seal:
        raise BundleError(f"{waiting[name]} is the same bundle as the live one, {live[name]}: there is nothing to do.")
    folders = (path.relative_to(root).as_posix() for path in (live[name], waiting[name], target))
    return Move("undo" if undo else "promote", name, seal, *folders)


def carry_out(root: Path, move: Move) -> None:
    """Make a bundle live, and keep the one that was.

    Args:
        root: The folder of bundles.
        move: What `plan` found.

    Raises:
        OSError: The folder cannot be changed. What was done is finished by the next promotion.
    """
    written = root / f"{JOURNAL}.part"
    written.write_bytes(msgspec.json.encode(move))
    written.replace(root / JOURNAL)
    _finish(root, move)


def finish_interrupted(root: Path) -> Move | None:
    """Finish the promotion that was interrupted in a folder.

    Args:
        root: The folder of bundles.

    Returns:
        The promotion; None if none was interrupted.

    Raises:
        BundleError: The journal cannot be read.
        OSError: The folder cannot be changed.
    """
    path = root / JOURNAL
    try:
        move = msgspec.json.decode(path.read_bytes(), type=Move)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise BundleError(f"{path} is not a journal of a promotion ({error}): delete it.") from None
    _finish(root, move)
    return move


def manifest_of(folder: Path) -> Manifest:
    """Return the manifest of a bundle, verified by its seal. Raises BundleError if it is invalid."""
    path = folder / MANIFEST
    return parse_manifest(path.read_bytes(), str(path))


def _finish(root: Path, move: Move) -> None:
    """Take the steps of a promotion that were not taken yet. The folders show which ones those are."""
    live, source, target = (root / folder for folder in (move.live, move.source, move.target))
    spare, replaced = root / SPARE, root / REPLACED
    done = _is(live, move.seal)
    if not done and not _is(source, move.seal):
        raise BundleError(
            f"{root / JOURNAL} says that the bundle {move.seal[:12]} of {move.name!r} becomes live, but it is neither "
            f"in {live} nor in {source}: if you moved folders yourself, delete that file."
        )
    if not done or spare.exists():
        exchange(live, source, spare)
    # Now the new bundle is live, and the former one is at `source`, or already at `target`.
    if source.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        if target.exists():  # what an earlier promotion kept
            target.rename(replaced)
        target.parent.mkdir(exist_ok=True)
        source.rename(target)
    shutil.rmtree(replaced, ignore_errors=True)
    if source.parent.exists() and not any(source.parent.iterdir()):
        source.parent.rmdir()
    (root / JOURNAL).unlink()


def _is(folder: Path, seal: str) -> bool:
    return (folder / MANIFEST).exists() and manifest_of(folder).seal == seal
