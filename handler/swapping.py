"""Exchange two folders in one step where the operating system can, and else in three steps that can be resumed."""

import ctypes
import errno
import os
import sys
from pathlib import Path

AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Arguments of Linux's renameat2: paths are relative to the working folder; exchange both."""
RENAME_SWAP = 2
"""The same of macOS's renamex_np."""
CANNOT = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}
"""Errors of a kernel or a file system that cannot exchange, such as NFS."""


def exchange(first: Path, second: Path, spare: Path) -> None:
    """Exchange two folders, or finish an exchange that was interrupted.

    Args:
        first: One folder. In the step-by-step case, it is missing for a moment.
        second: The other folder, on the same file system.
        spare: An unused path there. Only an interrupted exchange leaves a folder at it.

    Raises:
        OSError: The folders cannot be renamed.
    """
    if not spare.exists() and first.exists():
        if _exchanged(first, second):
            return
        first.rename(spare)
    if not first.exists():
        second.rename(first)
    spare.rename(second)


def _exchanged(first: Path, second: Path) -> bool:
    """Exchange two folders in one step; return False if this system cannot."""
    paths = os.fsencode(first), os.fsencode(second)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            status = library.renameat2(AT_FDCWD, paths[0], AT_FDCWD, paths[1], ctypes.c_uint(RENAME_EXCHANGE))
        else:
            status = library.renamex_np(*paths, ctypes.c_uint(RENAME_SWAP))
    except (AttributeError, TypeError, OSError):  # an older C library, or Windows
        return False
    if status == 0:
        return True
    number = ctypes.get_errno()
    if number in CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(first), None, str(second))
