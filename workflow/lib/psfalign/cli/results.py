"""Define the commands that read results."""

import argparse
from pathlib import Path

from .arguments import Commands, at_least


def _add_verify(commands: Commands) -> None:
    command = commands.add_parser(
        "verify", help="check that results, inputs and code are those that were recorded"
    )
    command.add_argument("targets", type=Path, nargs="+", help="products, or output directories")
    command.add_argument("--config", type=Path, help="default: configuration.json of the results")
    command.add_argument(
        "--inputs", type=Path, nargs="+", default=[], help="more folders to search for inputs"
    )
    command.add_argument("--threads", type=int, default=2)
    command.set_defaults(run=_verify)


def _verify(options: argparse.Namespace) -> int:
    from ..archive.verify.command import verify_targets

    threads = at_least(1, options.threads, "--threads")
    return verify_targets(options.targets, options.config, options.inputs, threads=threads)


def _add_show(commands: Commands) -> None:
    command = commands.add_parser("show", help="print and draw the shifts of a product")
    command.add_argument("product", type=Path, help="a psfalign product")
    command.add_argument(
        "--science", type=Path, metavar="FILE", help="the cleaned exposure, to draw the residual"
    )
    command.add_argument("--output", type=Path, metavar="PNG", help="default <product>.png")
    command.set_defaults(run=_show)


def _show(options: argparse.Namespace) -> None:
    from ..report.pair_table import as_text
    from ..report.product import show_product

    output = options.output or options.product.with_suffix(".png")
    print(as_text(show_product(options.product, output, science=options.science)))
    print(f"{output}: written")


# In the order of the help.
COMMANDS = (_add_verify, _add_show)
