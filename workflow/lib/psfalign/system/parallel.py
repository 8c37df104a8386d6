"""
Apply a function to a stream of items in several processes, in order.

Processes are used because threads share one interpreter. They are forked, so that they have the
function and its data without a copy; only items and results are transferred. On macOS a forked
process cannot use the frameworks of the system, which NumPy's linear algebra needs, so there is a
single process.
"""

import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..errors import WorkerError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int
) -> Iterator[Result]:
    """
    Yield the results in the order of the items, of which few are held at a time.

    Parameters
    ----------
    function
        With more than one thread, its changes in memory are lost, but not those in files. It must
        not depend on the position of a shared file.
    items
        The items, which are taken one by one.
    threads
        The number of processes; with 1, and on macOS, this process does the work.

    Raises
    ------
    WorkerError
        If a process ended without a result. Errors of ``function`` are raised unchanged.
    """
    if threads == 1 or not may_fork():
        yield from map(function, items)
        return
    workers = _Workers(function, threads)
    try:
        yield from workers.map(items)
    finally:
        workers.stop()


def may_fork() -> bool:
    """Return whether a fork of this process can compute."""
    return sys.platform != "darwin"


class _Workers(Generic[Item, Result]):
    """Processes that wait for items; each has one at a time, so that no pipe fills up."""

    def __init__(self, function: Callable[[Item], Result], number: int) -> None:
        import multiprocessing  # slow to import, seldom needed
        from multiprocessing import connection

        self._wait = connection.wait
        self._workers: dict[Connection, ForkProcess] = {}
        self._done: dict[int, _Answer] = {}
        context = multiprocessing.get_context("fork")
        for _ in range(number):
            ours, theirs = context.Pipe()
            arguments = (function, theirs, [*self._workers, ours])
            worker = context.Process(target=_serve, args=arguments, daemon=True)
            worker.start()
            theirs.close()
            self._workers[ours] = worker

    def map(self, items: Iterable[Item]) -> Iterator[Result]:
        idle: list[Any] = [*self._workers]
        busy: dict[Any, int] = {}
        upcoming, n_yielded = enumerate(items), 0
        following = next(upcoming, None)
        while following or busy or self._done:
            while following and idle and following[0] - n_yielded < 2 * len(self._workers):
                connection, (index, item) = idle.pop(0), following
                self._send(connection, item)
                busy[connection] = index
                following = next(upcoming, None)  # ready for the next idle process
            while n_yielded in self._done:
                n_yielded += 1
                yield self._done.pop(n_yielded - 1).result()
            for connection in self._wait([*busy]) if busy else ():
                self._done[busy.pop(connection)] = self._receive(connection)
                idle.append(connection)

    def _send(self, connection: Any, item: Item) -> None:
        try:
            connection.send(item)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._death(connection) from error

    def _receive(self, connection: Any) -> "_Answer":
        try:
            answer: _Answer = connection.recv()
        except (EOFError, ConnectionResetError) as error:
            raise self._death(connection) from error
        return answer

    def _death(self, connection: Any) -> WorkerError:
        worker = self._workers[connection]
        worker.join()
        code = worker.exitcode or 0
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        remedy = "give the job more memory, or one thread only"
        return WorkerError(f"a process that worked for it {how}", remedy=remedy)

    def stop(self) -> None:
        """End all processes at once."""
        for connection, worker in self._workers.items():
            connection.close()
            worker.terminate()
        for worker in self._workers.values():
            worker.join()


class _Answer:
    """What a function returned or raised."""

    def __init__(self, value: Any, error: Exception | None = None) -> None:
        self._value = value
        self._error = error

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value


def _serve(
    function: Callable[[Any], Any], connection: "Connection", others: Sequence["Connection"]
) -> None:
    """Answer items until the other end of the pipe is closed, also by the death of its process."""
    for other in others:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent as well
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        while True:
            connection.send(_answer(function, connection.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _answer(function: Callable[[Any], Any], item: Any) -> _Answer:
    try:
        return _Answer(function(item))
    except Exception as error:
        error.add_note(f"In a process of its own:\n{traceback.format_exc()}")
        return _Answer(None, error)
