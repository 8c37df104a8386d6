"""Report the progress of a run while it goes on, for people and machines."""

import json
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from ..campaign import layout
from ..campaign.exposures import ScienceExposure
from .campaign import renew_campaign_page
from .states import ExposureState, State, survey_states

REST = 10  # least time between two reports, in units of the time that a report takes


class Progress:
    """
    Write a line of JSON and the campaign's page at intervals, and once more at the end.

    It reads only results and logs, and so it does not matter where the steps run. Nothing is
    written before the output directory exists.

    Parameters
    ----------
    output
        The output directory.
    exposures
        The exposures of the campaign.
    interval
        Seconds from one report to the next; longer if a report takes more than a tenth of it.
    has_pictures
        Whether the page shows the pictures of associations, see `survey_states`.
    """

    def __init__(
        self,
        output: Path,
        exposures: Collection[ScienceExposure],
        *,
        interval: float,
        has_pictures: bool = True,
    ) -> None:
        self._output, self._exposures, self._interval = output, exposures, interval
        self._has_pictures = has_pictures
        self._path, self._start = output / layout.PROGRESS, time.time()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._repeat, daemon=True)

    def __enter__(self) -> None:
        """Remove the lines of an earlier run, and start."""
        with suppress(OSError):
            self._path.unlink()
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write the last report, and stop."""
        self._ended.set()
        self._thread.join()
        self._look()

    def _repeat(self) -> None:
        took = 0.0
        while not self._ended.wait(max(self._interval, REST * took)):
            before = time.monotonic()
            self._look()
            took = time.monotonic() - before

    def _look(self) -> None:
        """Write a line and the page; errors are ignored, so that the run goes on."""
        if not self._output.is_dir():
            return
        with suppress(OSError):  # for example a full disk, which the steps report themselves
            has_pictures = self._has_pictures
            states = survey_states(self._output, self._exposures, has_pictures=has_pictures)
            self._path.parent.mkdir(exist_ok=True)
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(f"{json.dumps(self._count(states))}\n")
            renew_campaign_page(self._output, states)

    def _count(self, states: Collection[ExposureState]) -> dict[str, Any]:
        numbers = {state: sum(one.state is state for one in states) for state in State}
        return {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.time() - self._start),
            "exposures": len(states),
            "done": numbers[State.DONE],
            "running": numbers[State.UNFINISHED],
            "failed": numbers[State.FAILED],
            "left": numbers[State.NOT_STARTED],
            "finished": sum(map(self._is_new, states)),
        }

    def _is_new(self, state: ExposureState) -> bool:
        """Return whether an exposure was finished after the start of the run."""
        summary = layout.result(self._output, "plot_exposure", state.name)
        is_done = state.state is State.DONE
        return is_done and summary.stat().st_mtime >= self._start
