"""How the processes of psfalign run, the same from a script and from the command line."""

import atexit
import ctypes
import gc
import os
import sys

# Parameters of glibc's mallopt (malloc.h).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST = 1 << 30  # bytes
SWEEPS = gc.get_threshold()
SELDOM = 1_000  # collections of the middle generation to one of all objects, instead of 10


def prepare_process() -> None:
    """Settle what NumPy will do; call it before NumPy is imported."""
    use_one_blas_thread()
    keep_freed_memory()


def use_one_blas_thread() -> None:
    """Fix the order of sums: with other numbers of threads, BLAS rounds differently."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"


def keep_freed_memory() -> None:
    """
    Tell the C library to hand out freed pages again.

    An image transform allocates its result anew each time. By default glibc returns such memory
    to the kernel, which clears and maps every page again: more than half of the time of an
    inverse transform of 320×320 pixels. Other C libraries are left as they are.
    """
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(M_TRIM_THRESHOLD, LARGEST)
            library.mallopt(M_MMAP_THRESHOLD, LARGEST)


def sweep_seldom() -> None:
    """
    Let Python seldom look for objects that can go, and leave them all where they are in the end.

    The jobs that an engine plans stay until it ends: to look through millions of objects again
    and again, and to take them apart, is a quarter of the time of planning.
    """
    gc.set_threshold(*SWEEPS[:2], SELDOM)
    atexit.register(gc.freeze)


def sweep_as_usual() -> None:
    """Collect garbage as Python does by itself: what comes now makes some."""
    gc.set_threshold(*SWEEPS)
