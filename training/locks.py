"""Lock files and folders that only one process may write to, where the file system can."""

import errno
import fcntl

UNSUPPORTED = {errno.EBADF, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""Errors of file systems that cannot lock. NFS cannot lock a folder (EBADF), Lustre needs an option (ENOSYS)."""


def lock(descriptor: int, *, waits: bool = False) -> bool:
    """Lock an open file or folder until its descriptor is closed.

    Args:
        descriptor: The file descriptor.
        waits: Whether to wait for another process that has locked it.

    Returns:
        Whether it is locked; False if the file system cannot lock it.

    Raises:
        BlockingIOError: Another process has locked it, and `waits` is False.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        return False
    return True
