"""Checkpoints of a training in S3, so that another instance can resume it (see training/workspace.py)."""

from pathlib import Path

from training.launch.folder import Folder, files_in
from training.launch.job import WORKSPACE
from training.workspace import CHECKPOINT, STARTED, WHOLE

UNFINISHED = f"{CHECKPOINT}new"


def send_checkpoints(folder: Folder, workspace: Path) -> None:
    """Upload the files that a training needs to resume, and delete outdated ones.

    A checkpoint never changes, and the file that marks it complete is uploaded last. The training may delete a
    checkpoint during the upload; the next call then uploads its successor.
    """
    there = folder.sizes(WORKSPACE)
    try:
        here = dict(sorted(_needed(workspace).items(), key=lambda found: (found[1].name == WHOLE, found[0])))
        for name, path in here.items():
            if name == STARTED or there.get(name) != path.stat().st_size:
                folder.upload(path, WORKSPACE + name)
    except FileNotFoundError:
        return
    if any(path.name == WHOLE for path in here.values()):
        folder.delete([WORKSPACE + name for name in there if name not in here])


def _needed(workspace: Path) -> dict[str, Path]:
    return {
        name: path
        for name, path in files_in(workspace)
        if name == STARTED or (name.startswith(CHECKPOINT) and not name.startswith(f"{UNFINISHED}/"))
    }
