"""Report the progress of a long step."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

INTERVAL = 10.0  # seconds between two lines; a shorter step prints none


def say_progress(
    items: Iterable[Item],
    what: str,
    *,
    total: int,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Item]:
    """
    Yield items, and report their number on standard error from time to time.

    In the workflow standard error is the log of the step; on the command line, the terminal.

    Parameters
    ----------
    items
        What the step makes, one after the other.
    what
        The name of several of them.
    total
        How many there will be.
    clock
        Returns the time in seconds.
    """
    start = last = clock()
    for done, item in enumerate(items, start=1):
        now = clock()
        if now - last >= INTERVAL and done < total:
            last = now
            left = (now - start) / done * (total - done)
            line = f"{done} of {total} {what}, {now - start:.0f} s, about {left:.0f} s left\n"
            sys.stderr.write(line)
            sys.stderr.flush()
        yield item
