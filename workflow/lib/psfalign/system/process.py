"""Set up a process, in the same way for scripts and for the command line."""

import atexit
import ctypes
import gc
import io
import os
import secrets
import shlex
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Parameters of glibc's mallopt (malloc.h).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST = 1 << 30  # bytes
THRESHOLDS = gc.get_threshold()
SELDOM = 1_000  # collections of the middle generation for each full one; Python has 10


def prepare_process() -> None:
    """Set the environment that NumPy reads; call this before NumPy is imported."""
    use_one_blas_thread()
    keep_freed_memory()


def show_all_text() -> None:
    """Escape what the encoding of standard output lacks, as Python does on standard error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def keep_caches_here() -> None:
    """Let Matplotlib, which poppy loads too, cache its fonts here and not in the home folder."""
    folder = str(Path(".snakemake/psfalign/matplotlib").absolute())
    os.environ.setdefault("MPLCONFIGDIR", folder)


def found_first(library: Path) -> dict[str, str]:
    """Return the environment variable that adds a folder to the modules of another Python."""
    before = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(library), before]))}


def use_one_blas_thread() -> None:
    """Limit BLAS to one thread; it rounds differently with other numbers of threads."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"


def keep_freed_memory() -> None:
    """
    Make the C library reuse freed pages.

    An image transform allocates a new result each time. By default glibc returns such memory
    to the kernel, which clears and maps every page again. Other C libraries are left as they are.
    """
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(M_TRIM_THRESHOLD, LARGEST)
            library.mallopt(M_MMAP_THRESHOLD, LARGEST)


def collect_seldom() -> None:
    """
    Make Python collect garbage seldom, and not at all when it ends.

    The jobs that Snakemake plans exist until it ends. To examine millions of objects again and
    again, and to free them, takes a quarter of the time of planning. Files that are still open at
    the end and part of a reference cycle would not be flushed, but there are none.
    """
    gc.set_threshold(*THRESHOLDS[:2], SELDOM)
    atexit.register(gc.freeze)


def collect_as_usual() -> None:
    """Collect garbage as Python does by default."""
    gc.set_threshold(*THRESHOLDS)


class QuotedPath(str):
    """A path that a shell reads as one word where it is written into a command."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return format(shlex.quote(str(self)), spec)


def quote_interpreter() -> None:
    """
    Quote the path of Python, which may hold a blank or an apostrophe.

    Snakemake inserts the path of its interpreter into the command of each job without quotes.
    """
    if not isinstance(sys.executable, QuotedPath):
        sys.executable = QuotedPath(sys.executable)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Make SIGTERM end the block as an error does, which removes temporary files."""

    def end(*_: object) -> None:
        sys.exit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def temporary_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """
    Create a folder that exists during the block only, also if a signal ends the process.

    `tempfile.TemporaryDirectory` leaves a folder behind if the signal comes between its creation
    and the beginning of the block, or while it is removed.

    Parameters
    ----------
    prefix
        The beginning of its name.
    parent
        The folder around it; by default that of `tempfile`.
    """
    folder = Path(parent or tempfile.gettempdir(), prefix + secrets.token_hex(8))
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        with _signals_held(), suppress(FileNotFoundError):
            shutil.rmtree(folder)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Delay SIGINT and SIGTERM until the block has ended."""
    # A mask holds the signals of one thread: those of a process with threads come all the same.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda n, _: came.append(n)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        for arrived in dict.fromkeys(came):
            signal.raise_signal(arrived)
