"""Define the commands that run a single step, or all steps of one exposure."""

import argparse
import sys
from pathlib import Path

from ..errors import ConfigError
from ..images.dq_flags import parse_bad_bits
from .arguments import (
    Commands,
    add_candidate,
    add_circles,
    add_options,
    add_paths,
    add_star,
    add_threads,
    at_least,
    excluded_of,
    keep_apart,
    values_of,
)


def _add_align(commands: Commands) -> None:
    command = commands.add_parser("align", help="run all steps of one exposure, up to its product")
    add_paths(command, "science", "output")
    command.add_argument(
        "--psfs", type=Path, nargs="+", required=True, help="a psfstack, or calints files to stack"
    )
    command.add_argument("--psfmask", required=True, help="mask file, uniform, or N/A")
    add_candidate(command)
    add_options(command, "clean", "fit_shifts", "resolve_psfmask", "align_psfs")
    add_circles(command)
    add_star(command)
    add_threads(command)
    command.set_defaults(run=_align)


def _align(options: argparse.Namespace) -> None:
    from ..steps.whole_job import align_files

    align_files(
        options.science,
        options.psfs,
        options.psfmask,
        options.output,
        cleaning=values_of(options, "clean"),
        fitting=values_of(options, "fit_shifts") | excluded_of(options),
        candidate=options.candidate,
        association=options.association,
        threads=at_least(1, options.threads, "--threads"),
        **values_of(options, "resolve_psfmask"),
        **values_of(options, "align_psfs"),
    )
    print(f"{options.output}: aligned with {options.psfmask}")


def _add_resolve(commands: Commands) -> None:
    command = commands.add_parser("resolve-psfmask", help="choose the mask of an exposure")
    add_paths(command, "science", "output")
    command.add_argument("--references", nargs="+", default=[], help="files, folders, globs")
    command.add_argument("--psfmask", help="mask file to use instead, uniform, or N/A")
    add_options(command, "resolve_psfmask", names=["bad_bits"])
    command.set_defaults(run=_resolve)


def _resolve(options: argparse.Namespace) -> None:
    from ..psfmask.catalogue import list_references
    from ..steps.resolve import resolve_psfmask

    candidates = list_references(options.references)
    keep_apart(options.output, candidates)
    resolved = resolve_psfmask(
        options.science,
        options.output,
        candidates=candidates,
        psfmask=options.psfmask,
        bad_bits=parse_bad_bits(options.bad_bits),
        **values_of(options, "resolve_psfmask"),
    )
    for note in (resolved.reason, *resolved.notes):
        print(f"{options.science.name}: {resolved.file_name}: {note}", file=sys.stderr)


def _add_make_psfmask(commands: Commands) -> None:
    command = commands.add_parser(
        "make-psfmask", help="make a mask from the geometry of an exposure's coronagraph"
    )
    add_paths(command, "science", "output")
    add_star(command)
    command.add_argument(
        "--edge",
        type=int,
        default=2,
        help="width of the border without weight in pixels, default 2",
    )
    add_circles(command)
    command.add_argument(
        "--useafter",
        metavar="DATE",
        help="first date of exposures that it serves, YYYY-MM-DD; default all dates",
    )
    command.set_defaults(run=_make_psfmask)


def _make_psfmask(options: argparse.Namespace) -> None:
    from ..images.circles import Circle
    from ..psfmask.reference import make_psfmask

    excluded_of(options)
    weight = make_psfmask(
        options.science,
        options.output,
        star=options.star,
        edge=at_least(0, options.edge, "--edge"),
        exclude=[Circle(*circle) for circle in options.exclude],
        exclude_sky=options.exclude_sky,
        useafter=options.useafter,
    )
    print(f"{options.output}: written, {weight.mean():.0%} of the image has weight")


def _add_stack(commands: Commands) -> None:
    command = commands.add_parser("stack-psfs", help="concatenate psf exposures")
    command.add_argument("--psfs", type=Path, nargs="+", required=True, help="calints files")
    add_paths(command, "output")
    command.set_defaults(run=_stack)


def _stack(options: argparse.Namespace) -> None:
    from ..steps.stack import stack_psfs

    stack_psfs(options.psfs, options.output)


def _add_clean(commands: Commands) -> None:
    command = commands.add_parser("clean", help="replace the bad pixels of an exposure")
    add_paths(command, "input", "output")
    add_options(command, "clean")
    command.set_defaults(run=_clean)


def _clean(options: argparse.Namespace) -> None:
    from ..steps.clean import clean_exposure

    counts = clean_exposure(options.input, options.output, **values_of(options, "clean"))
    print(f"{options.input.name}: {counts.n_replaced} bad pixels replaced", file=sys.stderr)


def _add_fit(commands: Commands) -> None:
    command = commands.add_parser("fit-shifts", help="fit cleaned psfs to a cleaned exposure")
    add_paths(command, "science", "psfs", "psfmask", "output")
    add_options(command, "fit_shifts")
    add_circles(command)
    add_star(command)
    add_threads(command)
    command.set_defaults(run=_fit)


def _fit(options: argparse.Namespace) -> None:
    from ..fit.integration import FitOptions
    from ..steps.fit import fit_exposure

    settings = values_of(options, "fit_shifts") | excluded_of(options)
    table = fit_exposure(
        options.science,
        options.psfs,
        options.psfmask,
        options.output,
        options=FitOptions.take(settings),
        threads=at_least(1, options.threads, "--threads"),
        **settings,
    )
    print(f"{len(table)} pairs fitted, {table.n_failed} failed", file=sys.stderr)


def _add_shift(commands: Commands) -> None:
    command = commands.add_parser("align-psfs", help="shift cleaned psfs by a table of shifts")
    add_paths(command, "psfs", "shifts", "psfmask", "output")
    add_candidate(command)
    add_options(command, "align_psfs")
    add_threads(command)
    command.set_defaults(run=_shift)


def _shift(options: argparse.Namespace) -> None:
    from ..steps.align import align_exposure

    align_exposure(
        options.psfs,
        options.shifts,
        options.psfmask,
        options.output,
        candidate=options.candidate,
        association=options.association,
        product_name=options.product_name,
        threads=at_least(1, options.threads, "--threads"),
        **values_of(options, "align_psfs"),
    )


def _add_subtract(commands: Commands) -> None:
    command = commands.add_parser("subtract", help="subtract the star from a cleaned exposure")
    add_paths(command, "science", "product", "output")
    command.add_argument(
        "--roll",
        type=Path,
        nargs=2,
        action="append",
        default=[],
        metavar=("CLEAN", "SHIFTS"),
        help="another roll of the target, which is subtracted, too: its cleaned exposure and its "
        "table of shifts against the same psf images; may be repeated",
    )
    add_options(command, "subtract_psf")
    add_circles(command)
    add_star(command)
    command.set_defaults(run=_subtract)


def _subtract(options: argparse.Namespace) -> None:
    from ..steps.rolls import Roll
    from ..steps.stages import SubtractionOptions as Options
    from ..steps.subtract import subtract_psf

    keep_apart(options.output, [path for pair in options.roll for path in pair])
    how = Options(
        references="stars+rolls" if options.roll else "stars",
        **values_of(options, "subtract_psf"),
        **excluded_of(options),
    )
    rolls = [Roll(*pair) for pair in options.roll]
    subtract_psf(options.science, options.product, options.output, rolls=rolls, options=how)
    print(f"{options.output}: written")


def _add_combine(commands: Commands) -> None:
    command = commands.add_parser(
        "combine", help="combine subtracted exposures of a target, north up, and measure the noise"
    )
    command.add_argument(
        "exposures",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="exposures that `psfalign subtract` wrote",
    )
    add_paths(command, "output")
    command.add_argument(
        "--contrast", type=Path, required=True, metavar="FILE", help="table of noise to write, ECSV"
    )
    add_options(command, "combine_rolls")
    add_star(command)
    command.set_defaults(run=_combine)


def _combine(options: argparse.Namespace) -> None:
    from ..steps.combine import combine_rolls

    keep_apart(options.contrast, options.exposures, "--contrast")
    if options.contrast.absolute() == options.output.absolute():
        remedy = "name another file"
        raise ConfigError(
            "is --output, too", keyword="--contrast", value=options.contrast, remedy=remedy
        )
    star_flux = values_of(options, "combine_rolls")["star_flux"]
    combine_rolls(
        options.exposures,
        options.output,
        options.contrast,
        star=options.star or "auto",
        star_flux=star_flux,
    )
    print(f"{options.output}, {options.contrast}: written")


# In the order of the help.
COMMANDS = (
    _add_align,
    _add_resolve,
    _add_make_psfmask,
    _add_stack,
    _add_clean,
    _add_fit,
    _add_shift,
    _add_subtract,
    _add_combine,
)
