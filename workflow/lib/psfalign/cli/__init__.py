"""Run whole campaigns, single steps, or all steps of one exposure."""

import argparse
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import PsfalignError, error_line
from ..system.process import ended_in_order, prepare_process, show_all_text
from . import campaigns, results, steps
from .arguments import keep_inputs


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Returns
    -------
    int
        0, or 1 after an error, which is printed in one line on standard error, or if `verify` or
        `check` found a problem.
    """
    show_all_text()
    options = _parser().parse_args(arguments)
    prepare_process()
    try:
        with ended_in_order():
            keep_inputs(options)
            return options.run(options) or 0
    except (PsfalignError, OSError, MemoryError) as error:
        print(error_line(error, options.run.__name__.strip("_")), file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="psfalign", description=__doc__)
    parser.add_argument("--version", action="version", version=f"psfalign {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (*campaigns.COMMANDS, *results.COMMANDS, *steps.COMMANDS):
        add(commands)
    return parser
