"""Ask Linux to reserve the space of a file, and to write it to the disk while it grows."""

import ctypes
import errno
import os
from functools import cache
from typing import Any

SYNC_FILE_RANGE_WRITE = 2  # linux/fs.h: start to write dirty pages, without waiting
# Errors about the file itself; any other error means that the call is not available here.
VERDICTS = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF)


def reserve(descriptor: int, size: int) -> None:
    """
    Return an open file its size in bytes, and all of its room on the disk.

    A full disk is detected before any work is done, and reserved blocks are written faster. If the
    system does not support it, nothing is done: `os.posix_fallocate` would write the whole file.

    Raises
    ------
    OSError
        If there is not enough room.
    """
    mode, start = ctypes.c_int(0), ctypes.c_int64(0)
    _call("fallocate", descriptor, mode, start, ctypes.c_int64(size))


def start_writing(descriptor: int) -> None:
    """
    Start writing the pages of a file to the disk, so that its fsync has less to do.

    It waits only if the queue of the disk is full. fsync reports errors that occur later.

    Raises
    ------
    OSError
        If it fails at once.
    """
    start, to_the_end = ctypes.c_int64(0), ctypes.c_int64(0)
    _call("sync_file_range", descriptor, start, to_the_end, ctypes.c_uint(SYNC_FILE_RANGE_WRITE))


def _call(name: str, descriptor: int, *arguments: Any) -> None:
    function = getattr(_c_library(), name, None)
    if function is None:
        return
    while function(ctypes.c_int(descriptor), *arguments) != 0:
        code = ctypes.get_errno()
        if code in VERDICTS:
            raise OSError(code, os.strerror(code))
        if code != errno.EINTR:
            return


@cache
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
