"""Locks: one process at a time, and file systems that cannot lock."""

import errno
from pathlib import Path

import pytest

from training import locks
from training.locks import lock
from training.workspace import Workspace


def test_only_one_holds_a_lock(tmp_path: Path) -> None:
    with (tmp_path / "file").open("a") as first, (tmp_path / "file").open("a") as second:
        assert lock(first.fileno())
        with pytest.raises(BlockingIOError):
            lock(second.fileno())
        first.close()
        assert lock(second.fileno())


def test_a_file_system_that_cannot_lock_folders_stops_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS answers EBADF for a folder: it locks only what is open for writing. See flock(2)."""

    def nfs(descriptor: int, operation: int) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(locks.fcntl, "flock", nfs)
    workspace = Workspace.of_run(tmp_path / "run")
    with workspace.held():
        assert workspace.folder.is_dir()


def test_other_errors_are_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int, operation: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(locks.fcntl, "flock", broken)
    with pytest.raises(OSError, match="Input/output error"), Workspace.of_run(tmp_path / "run").held():
        pass
