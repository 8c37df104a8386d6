"""
Provide a logger for Snakemake that prints one line per job, with the progress of the run.

Snakemake finds it by its name (`--logger psfalign`) if this folder is on the path of Python. Its
output is the same on a terminal and in a file, where progress bars (snakemake-logger-plugin-rich
0.5) print nothing until the end. The log file of Snakemake has all details.
"""

import logging
import sys
import time
from typing import Any, TextIO

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

MANY = 100  # jobs, beyond which not every one gets a line
INTERVAL = 5.0  # seconds between two lines of a campaign of many jobs
# Messages of Snakemake at its end, and when there is nothing to do.
KEPT = ("Nothing to be done", "Complete log", "Elapsed time", "Report created")


class LogHandler(LogHandlerBase):
    """Turn events of Snakemake into lines."""

    def __post_init__(self) -> None:
        """Start a run."""
        self.stream: TextIO = sys.stdout if self.common_settings.stdout else sys.stderr
        self.messages: dict[int, str] = {}
        self.done, self.total, self.last = 0, 0, -INTERVAL

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line for a record, if there is one."""
        line = self.line_of(record)
        if line:
            try:
                self.stream.write(f"{line}\n")
                self.stream.flush()
            except OSError:
                self.handleError(record)

    def line_of(self, record: logging.LogRecord) -> str:
        """Return the line for a record; empty if the record is not shown."""
        said = vars(record)  # Snakemake puts its events into attributes of the record
        match said.get("event"):
            case LogEvent.RUN_INFO:
                self.total = said["stats"].get("total", 0)
                return f"{self.total} jobs to do"
            case LogEvent.JOB_INFO:
                return self._start(said)
            case LogEvent.PROGRESS:
                self.done, self.total = said["done"], said["total"]
                return f"[{self.done}/{self.total}] done" if self.done == self.total else ""
            case LogEvent.JOB_ERROR | LogEvent.GROUP_ERROR:
                return f"FAILED: {self._failed(said)}"
            case None | LogEvent.ERROR:
                return self._plain(record)
            case _:
                return ""

    def _start(self, said: dict[str, Any]) -> str:
        message: str = said["rule_msg"] or said["rule_name"]
        self.messages[said["jobid"]] = message
        now = time.monotonic()
        if said["rule_name"] == "all" or (self.total > MANY and now - self.last < INTERVAL):
            return ""
        self.last = now
        width = len(str(self.total))
        return f"[{self.done:>{width}}/{self.total}] {message}"

    def _failed(self, said: dict[str, Any]) -> str:
        message = self.messages.get(said.get("jobid", -1), "a job")
        logs = map(str, said.get("log") or [])
        return "; see ".join([message, *logs])

    def _plain(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        # A failed job is said in a line of its own, with the log that says why.
        repeated = text.startswith(("RuleException", "Exiting because a job", "WorkflowError"))
        if record.levelno >= logging.WARNING:
            return "" if repeated else text
        return text if text.startswith(KEPT) else ""

    @property
    def writes_to_stream(self) -> bool:
        """Whether it replaces the output of Snakemake."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Whether it replaces the log file of Snakemake."""
        return False

    @property
    def has_filter(self) -> bool:
        """Whether it selects records itself."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Whether it formats records itself."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """Whether it needs the graph of the rules."""
        return False
