"""The command line: each step of the workflow on its own, and all of them on one exposure."""

import argparse
import dataclasses
import math
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from . import __version__
from .campaign.options import schema_of
from .campaign.settings import (
    AlignOptions,
    PixelCircle,
    PsfmaskOptions,
    Settings,
    SkyCircle,
    SubtractionOptions,
)
from .errors import ConfigError, PsfalignError, error_line
from .images.dq_flags import parse_bad_bits
from .system.process import ended_in_order, prepare_process

# Options that the command line spells in its own way: --star COLUMN,ROW; --roll for stars+rolls.
OWN = ("star", "references")
# The options of the configuration that steps take: the field of each, and its schema.
OPTIONS = {
    field: schema_of(kind)["properties"][field.name]
    for kind in (PsfmaskOptions, AlignOptions, SubtractionOptions)
    for field in dataclasses.fields(kind)
    if field.metadata["step"] and field.name not in OWN
}
# What a path means, where its name alone does not say it all.
PATHS = {
    "science": "science exposure, calints; cleaned for fit-shifts",
    "psfs": "cleaned psf images",
    "psfmask": "psfmask.json that resolve-psfmask wrote",
    "shifts": "table of shifts that fit-shifts wrote",
    "product": "aligned psf images that align-psfs wrote",
    "input": "calints or psfstack",
    "output": "file to write",
}
NO_MASKS = (
    "psfmask.references is empty; before you run it, name masks there, or make them with `psfalign "
    "make-psfmask`; docs/masks.md says where they come from"
)
INPUTS = ("science", "psfs", "psfmask", "shifts", "input", "association", "product", "exposures")


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Returns
    -------
    0, or 1 after a mistake that was said in one line on standard error, or where `verify` found
    something wrong.
    """
    options = _parser().parse_args(arguments)
    prepare_process()
    try:
        with ended_in_order():
            _keep_inputs(options)
            return options.run(options) or 0
    except (PsfalignError, OSError, MemoryError) as error:
        print(error_line(error, options.run.__name__.strip("_")), file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="psfalign", description=__doc__)
    parser.add_argument("--version", action="version", version=f"psfalign {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _add_align,
        _add_resolve,
        _add_make_psfmask,
        _add_stack,
        _add_clean,
        _add_fit,
        _add_shift,
        _add_subtract,
        _add_combine,
        _add_campaign,
        _add_manifest,
        _add_check,
        _add_run,
        _add_verify,
        _add_summary,
        _add_show,
        _add_crate,
        _add_deploy,
    ):
        add(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001


def _add_align(commands: Commands) -> None:
    command = commands.add_parser("align", help="all steps: from exposures to the product")
    _paths(command, "science", "output")
    command.add_argument(
        "--psfs", type=Path, nargs="+", required=True, help="a psfstack, or calints to stack"
    )
    command.add_argument("--psfmask", required=True, help="mask file, uniform, or N/A")
    _candidate(command)
    _options(command, "clean", "fit_shifts", "resolve_psfmask", "align_psfs")
    _circles(command)
    _star(command)
    _threads(command)
    command.set_defaults(run=_align)


def _add_resolve(commands: Commands) -> None:
    command = commands.add_parser("resolve-psfmask", help="choose the mask of an exposure")
    _paths(command, "science", "output")
    command.add_argument("--references", nargs="+", default=[], help="files, folders, globs")
    command.add_argument("--psfmask", help="mask file to use instead, uniform, or N/A")
    _options(command, "resolve_psfmask", names=["bad_bits"])
    command.set_defaults(run=_resolve)


def _add_make_psfmask(commands: Commands) -> None:
    command = commands.add_parser(
        "make-psfmask", help="make a mask from the geometry of an exposure's coronagraph"
    )
    _paths(command, "science", "output")
    _star(command)
    command.add_argument(
        "--edge", type=int, default=2, help="pixels along the edges without weight, default 2"
    )
    _circles(command)
    command.add_argument(
        "--useafter", metavar="DATE", help="first date it serves, YYYY-MM-DD; default all dates"
    )
    command.set_defaults(run=_make_psfmask)


def _add_stack(commands: Commands) -> None:
    command = commands.add_parser("stack-psfs", help="concatenate psf exposures")
    command.add_argument("--psfs", type=Path, nargs="+", required=True, help="calints files")
    _paths(command, "output")
    command.set_defaults(run=_stack)


def _add_clean(commands: Commands) -> None:
    command = commands.add_parser("clean", help="replace the bad pixels of an exposure")
    _paths(command, "input", "output")
    _options(command, "clean")
    command.set_defaults(run=_clean)


def _add_fit(commands: Commands) -> None:
    command = commands.add_parser("fit-shifts", help="fit cleaned psfs to a cleaned exposure")
    _paths(command, "science", "psfs", "psfmask", "output")
    _options(command, "fit_shifts")
    _circles(command)
    _star(command)
    _threads(command)
    command.set_defaults(run=_fit)


def _add_shift(commands: Commands) -> None:
    command = commands.add_parser("align-psfs", help="shift cleaned psfs by a table of shifts")
    _paths(command, "psfs", "shifts", "psfmask", "output")
    _candidate(command)
    _options(command, "align_psfs")
    _threads(command)
    command.set_defaults(run=_shift)


def _add_subtract(commands: Commands) -> None:
    command = commands.add_parser("subtract", help="subtract the star from a cleaned exposure")
    _paths(command, "science", "product", "output")
    command.add_argument(
        "--roll",
        type=Path,
        nargs=2,
        action="append",
        default=[],
        metavar=("CLEAN", "SHIFTS"),
        help="another roll of the target to subtract, too: its cleaned exposure and its table of "
        "shifts against the same psf images; may be repeated",
    )
    _options(command, "subtract_psf")
    _circles(command)
    _star(command)
    command.set_defaults(run=_subtract)


def _add_combine(commands: Commands) -> None:
    command = commands.add_parser(
        "combine", help="combine subtracted exposures of a target, north up, and measure the noise"
    )
    command.add_argument(
        "exposures", type=Path, nargs="+", metavar="FILE", help="exposures that subtract wrote"
    )
    _paths(command, "output")
    command.add_argument(
        "--contrast", type=Path, required=True, metavar="FILE", help="table of noise to write, ECSV"
    )
    _options(command, "combine_rolls")
    _star(command)
    command.set_defaults(run=_combine)


def _add_campaign(commands: Commands) -> None:
    command = commands.add_parser("campaign", help="write a configuration for a folder of files")
    command.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="folder of calibrated exposures and associations, with all folders in it",
    )
    command.add_argument(
        "--masks",
        nargs="+",
        default=[],
        metavar="MASK",
        help="more masks: files, folders, globs",
    )
    command.add_argument(
        "--output",
        type=Path,
        default=Path("my_campaign.yaml"),
        metavar="FILE",
        help="file to write, default my_campaign.yaml",
    )
    command.set_defaults(run=_campaign)


def _add_manifest(commands: Commands) -> None:
    command = commands.add_parser(
        "manifest", help="list inputs for planning where they are not: in storage, elsewhere"
    )
    command.add_argument(
        "places",
        type=Path,
        nargs="+",
        metavar="PLACE",
        help="configuration, whose inputs are listed, or folder of exposures, masks, associations",
    )
    command.add_argument(
        "--address",
        default="",
        metavar="URL",
        help="where jobs fetch the files, before their paths: s3://bucket/folder; default: where "
        "the configuration says",
    )
    command.add_argument(
        "--output",
        type=Path,
        default=Path("manifest.json"),
        metavar="FILE",
        help="file to write, default manifest.json",
    )
    command.set_defaults(run=_manifest)


def _add_check(commands: Commands) -> None:
    command = commands.add_parser("check", help="check a configuration and all its files")
    command.add_argument("config", type=Path, help="the configuration, YAML")
    command.add_argument("--output-dir", action="store_true", help="print its output_dir only")
    command.add_argument(
        "--batches", type=_positive, metavar="N", help="print only how many batches of N exposures"
    )
    command.set_defaults(run=_check)


def _add_run(commands: Commands) -> None:
    command = commands.add_parser("run", help="run a campaign, and write its report")
    command.add_argument(
        "--batch",
        type=_positive,
        default=250,
        metavar="N",
        help="exposures to plan and run together, default 250",
    )
    command.add_argument("config", type=Path, help="the configuration, YAML")
    command.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="what else to say to the engine: `--cores 4`"
    )
    command.set_defaults(run=_run)


def _numbers(count: int) -> Callable[[str], tuple[float, ...]]:
    """Return what reads so many numbers joined by commas."""

    def read(text: str) -> tuple[float, ...]:
        numbers = tuple(map(float, text.split(",")))
        if len(numbers) != count or not all(map(math.isfinite, numbers)):
            raise argparse.ArgumentTypeError(f"{text!r} is not {count} numbers joined by commas")
        return numbers

    return read


def _circle(text: str) -> tuple[float, ...]:
    numbers = _numbers(3)(text)
    if numbers[-1] <= 0:
        raise argparse.ArgumentTypeError(f"the radius of {text!r} is not more than 0")
    return numbers


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("is not 1 or more")
    return number


def _add_verify(commands: Commands) -> None:
    command = commands.add_parser("verify", help="check results against what is recorded in them")
    command.add_argument("targets", type=Path, nargs="+", help="products, or output directories")
    command.add_argument("--config", type=Path, help="default: configuration.json of the results")
    command.add_argument(
        "--inputs", type=Path, nargs="+", default=[], help="more folders that may hold inputs"
    )
    command.add_argument("--threads", type=int, default=2)
    command.set_defaults(run=_verify)


def _add_summary(commands: Commands) -> None:
    command = commands.add_parser("summary", help="say how far a campaign is, and how it went")
    command.add_argument("config", type=Path, help="the configuration, YAML")
    command.set_defaults(run=_summary)


def _add_show(commands: Commands) -> None:
    command = commands.add_parser("show", help="print and draw the shifts of a product")
    command.add_argument("product", type=Path, help="a psfalign product")
    command.add_argument(
        "--science", type=Path, metavar="FILE", help="the cleaned exposure, to see the residual"
    )
    command.add_argument("--output", type=Path, metavar="PNG", help="default <product>.png")
    command.set_defaults(run=_show)


def _add_crate(commands: Commands) -> None:
    command = commands.add_parser("crate", help="describe the results of a campaign, as a run does")
    command.add_argument("config", type=Path, help="the configuration, YAML")
    command.add_argument("--threads", type=int, default=2)
    command.set_defaults(run=_crate)


def _add_deploy(commands: Commands) -> None:
    command = commands.add_parser("deploy", help="write the workflow into a folder, ready to run")
    command.add_argument("folder", type=Path, help="a new folder")
    command.set_defaults(run=_deploy)


def _paths(command: argparse.ArgumentParser, *names: str) -> None:
    for name in names:
        command.add_argument(
            f"--{name}", type=Path, required=True, metavar="FILE", help=PATHS[name]
        )


def _threads(command: argparse.ArgumentParser) -> None:
    text = "how many at a time, default 1; the bytes stay the same"
    command.add_argument("--threads", type=int, default=1, help=text)


def _star(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--star",
        type=_numbers(2),
        metavar="COLUMN,ROW",
        help="place of the star in pixels from 0, default what the header says",
    )


def _circles(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--exclude",
        type=_circle,
        action="append",
        default=[],
        metavar="COLUMN,ROW,RADIUS",
        help="circle without weight, in pixels from 0; may be repeated",
    )
    command.add_argument(
        "--exclude-sky",
        type=_circle,
        action="append",
        default=[],
        metavar="SEPARATION,ANGLE,RADIUS",
        help="likewise, from the star: arcsec, degrees from north to east, arcsec",
    )


def _candidate(command: argparse.ArgumentParser) -> None:
    command.add_argument("--candidate", default="", help="association candidate, e.g. a3001")
    command.add_argument("--association", type=Path, metavar="FILE", help="its file, to record it")
    command.add_argument("--product-name", default="", help="its product's name, to record it")


def _options(command: argparse.ArgumentParser, *steps: str, names: Collection[str] = ()) -> None:
    """Add the options of the configuration that some steps take, and others by their names."""
    for field, schema in OPTIONS.items():
        if field.metadata["step"] in steps or field.name in names:
            default: Any = field.default
            items = schema.get("items")
            said = " ".join(map(str, default or ["none"])) if items else default
            command.add_argument(
                _flag(field.name),
                type=NUMBERS.get(str((items or schema).get("type")), str),
                nargs="+" if items else None,
                choices=schema.get("enum"),
                default=default,
                help=f"{schema['description'].replace('%', '%%')} Default {said}.",
            )


NUMBERS: dict[str, Callable[[str], Any]] = {"integer": int, "number": float}  # by JSON's names


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _values(options: argparse.Namespace, step: str) -> dict[str, Any]:
    """Return what was given for a step, by the names of its arguments."""
    own = [field for field in OPTIONS if field.metadata["step"] == step]
    values = {field.name: getattr(options, field.name) for field in own}
    for field in own:
        schema, value = OPTIONS[field], values[field.name]
        least = schema.get("items", schema).get("minimum")
        for number in value if "items" in schema else [value]:
            _at_least(least, number, _flag(field.name))
    if "bad_bits" in values:
        values["bad_bits"] = parse_bad_bits(values["bad_bits"])
    return values


def _excluding(options: argparse.Namespace) -> dict[str, Any]:
    """Return the circles that were given, and where the star is, as `fit_exposure` takes them."""
    kinds = ((PixelCircle, options.exclude), (SkyCircle, options.exclude_sky))
    circles = [
        dict(zip((field.name for field in dataclasses.fields(kind)), numbers, strict=True))
        for kind, places in kinds
        for numbers in places
    ]
    return {"exclude": circles, "star": options.star or "auto"}


def _at_least(least: int | None, number: Any, option: str) -> Any:
    if least is not None and number is not None and not number >= least:  # nor is NaN
        problem, remedy = f"is less than {least}", f"write {least} or more"
        raise ConfigError(problem, keyword=option, value=number, remedy=remedy)
    return number


def _keep_inputs(options: argparse.Namespace) -> None:
    """Refuse an output that is one of the inputs."""
    output = getattr(options, "output", None)
    values = [getattr(options, name) for name in INPUTS if hasattr(options, name)]
    inputs = [path for value in values for path in (value if isinstance(value, list) else [value])]
    if output is not None:
        _keep_apart(output, [Path(path) for path in inputs if path is not None])


def _keep_apart(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output that is one of the inputs, under whatever name."""
    if output.exists() and any(path.exists() and path.samefile(output) for path in inputs):
        remedy = "name another file"
        raise ConfigError("is an input", keyword="--output", value=output, remedy=remedy)


def _align(options: argparse.Namespace) -> None:
    from .steps.whole_job import align_files

    align_files(
        options.science,
        options.psfs,
        options.psfmask,
        options.output,
        cleaning=_values(options, "clean"),
        fitting=_values(options, "fit_shifts") | _excluding(options),
        candidate=options.candidate,
        association=options.association,
        threads=_at_least(1, options.threads, "--threads"),
        **_values(options, "resolve_psfmask"),
        **_values(options, "align_psfs"),
    )
    print(f"{options.output}: aligned with {options.psfmask}")


def _resolve(options: argparse.Namespace) -> None:
    from .psfmask.catalogue import list_references
    from .steps.resolve import resolve_psfmask

    candidates = list_references(options.references)
    _keep_apart(options.output, candidates)
    resolved = resolve_psfmask(
        options.science,
        options.output,
        candidates=candidates,
        psfmask=options.psfmask,
        bad_bits=parse_bad_bits(options.bad_bits),
        **_values(options, "resolve_psfmask"),
    )
    for note in (resolved.reason, *resolved.notes):
        print(f"{options.science.name}: {resolved.file_name}: {note}", file=sys.stderr)


def _make_psfmask(options: argparse.Namespace) -> None:
    from .images.circles import Circle
    from .psfmask.reference import make_psfmask

    weight = make_psfmask(
        options.science,
        options.output,
        star=options.star,
        edge=_at_least(0, options.edge, "--edge"),
        exclude=[Circle(*circle) for circle in options.exclude],
        exclude_sky=options.exclude_sky,
        useafter=options.useafter,
    )
    print(f"{options.output}: written, {weight.mean():.0%} of the image has weight")


def _stack(options: argparse.Namespace) -> None:
    from .steps.stack import stack_psfs

    stack_psfs(options.psfs, options.output)


def _clean(options: argparse.Namespace) -> None:
    from .steps.clean import clean_exposure

    counts = clean_exposure(options.input, options.output, **_values(options, "clean"))
    print(f"{options.input.name}: {counts.n_replaced} bad pixels replaced", file=sys.stderr)


def _fit(options: argparse.Namespace) -> None:
    from .fit.integration import FitOptions
    from .steps.fit import fit_exposure

    settings = _values(options, "fit_shifts") | _excluding(options)
    table = fit_exposure(
        options.science,
        options.psfs,
        options.psfmask,
        options.output,
        options=FitOptions.take(settings),
        threads=_at_least(1, options.threads, "--threads"),
        **settings,
    )
    print(f"{len(table)} pairs fitted, {table.n_failed} failed", file=sys.stderr)


def _shift(options: argparse.Namespace) -> None:
    from .steps.align import align_exposure

    align_exposure(
        options.psfs,
        options.shifts,
        options.psfmask,
        options.output,
        candidate=options.candidate,
        association=options.association,
        product_name=options.product_name,
        threads=_at_least(1, options.threads, "--threads"),
        **_values(options, "align_psfs"),
    )


def _subtract(options: argparse.Namespace) -> None:
    from .steps.rolls import Roll
    from .steps.stages import SubtractionOptions as Options
    from .steps.subtract import subtract_psf

    _keep_apart(options.output, [path for pair in options.roll for path in pair])
    how = Options(
        references="stars+rolls" if options.roll else "stars",
        **_values(options, "subtract_psf"),
        **_excluding(options),
    )
    rolls = [Roll(*pair) for pair in options.roll]
    subtract_psf(options.science, options.product, options.output, rolls=rolls, options=how)
    print(f"{options.output}: written")


def _combine(options: argparse.Namespace) -> None:
    from .steps.combine import combine_rolls

    _keep_apart(options.contrast, options.exposures)
    star_flux = _values(options, "combine_rolls")["star_flux"]
    combine_rolls(
        options.exposures,
        options.output,
        options.contrast,
        star=options.star or "auto",
        star_flux=star_flux,
    )
    print(f"{options.output}, {options.contrast}: written")


def _campaign(options: argparse.Namespace) -> None:
    from .campaign.survey.campaign import survey_folders
    from .campaign.write_config import refuse_existing, write_campaign

    refuse_existing(options.output)
    survey = survey_folders(options.folders, options.masks)
    found = bool(survey.associations or survey.entries)
    for line in survey.remarks.lines(written=options.output if found else None):
        print(f"psfalign: {line}", file=sys.stderr)
    write_campaign(survey, options.output)
    if not survey.references:
        print(f"psfalign: warning: {options.output}: {NO_MASKS}", file=sys.stderr)
    print(f"{options.output}: written, {survey.summary}")


def _manifest(options: argparse.Namespace) -> None:
    from .campaign.facts import CACHE, FactsStore
    from .campaign.words import plural
    from .campaign.write_manifest import write_manifest

    n_files, remarks = write_manifest(
        options.places, options.output, FactsStore(CACHE), address=options.address
    )
    for line in remarks.lines():
        print(f"psfalign: {line}", file=sys.stderr)
    print(f"{options.output}: written, {plural(n_files, 'file')}")


def _check(options: argparse.Namespace) -> int:
    from .campaign.configuration import read_settings

    settings = read_settings(options.config)
    if options.output_dir:
        print(settings.output_dir)
        return 0
    if options.batches:
        from .campaign.exposures import plan_exposures
        from .campaign.run import count_batches

        print(count_batches(len(plan_exposures(settings)), options.batches))
        return 0
    return not _is_right(settings)


def _is_right(settings: Settings) -> bool:
    """Check all files of a campaign, and print what is wrong or what would be done."""
    from .campaign.checks import inspect_campaign
    from .campaign.exposures import plan_exposures
    from .campaign.facts import FactsStore

    exposures = plan_exposures(settings)
    facts = FactsStore.of(settings)
    findings = inspect_campaign(settings, exposures, facts)
    for line in dict.fromkeys(map(error_line, findings.errors)):
        print(line, file=sys.stderr)
    for warning in findings.warnings:
        _warn(warning)
    if not findings.errors:
        for exposure in exposures:
            print(f"{exposure.name}: psfs {exposure.stack.name}")
    return not findings.errors


def _run(options: argparse.Namespace) -> int:
    from .campaign.configuration import complete_config
    from .campaign.exposures import plan_exposures
    from .campaign.facts import FactsStore
    from .campaign.output_folder import say_elsewhere
    from .campaign.run import Engine, count_batches, given_by, is_run, run_campaign
    from .campaign.yaml import read_yaml

    engine, given = Engine(options.config, options.arguments), given_by(options.arguments)
    if not is_run(options.arguments):
        return engine.run()
    settings = complete_config(read_yaml(options.config), options.config, command_line=given)
    if not _is_right(settings):
        return 1

    def close() -> None:
        from .archive.closing import close_campaign

        if not settings.output_dir.is_dir():  # all is done, and not here
            print(f"psfalign: {say_elsewhere(settings.output_dir)}", file=sys.stderr)
            return
        exposures = plan_exposures(settings)
        facts = FactsStore.of(settings)
        lines = close_campaign(settings, exposures, facts, threads=2, warn=_warn)
        print("\n".join(lines))

    n_batches = count_batches(len(plan_exposures(settings)), options.batch)
    return run_campaign(engine, settings.output_dir, n_batches=n_batches, close=close)


def _warn(text: str) -> None:
    print(f"psfalign: warning: {text}", file=sys.stderr)


def _verify(options: argparse.Namespace) -> int:
    from .archive.verify.command import verify_targets

    threads = _at_least(1, options.threads, "--threads")
    return verify_targets(options.targets, options.config, options.inputs, threads=threads)


def _summary(options: argparse.Namespace) -> None:
    from .campaign.configuration import read_settings

    _summarise(read_settings(options.config))


def _summarise(settings: Settings) -> None:
    """Write the campaign's page, and print how it went."""
    from .campaign.exposures import plan_exposures
    from .report.campaign import closing_lines, write_campaign_page
    from .report.states import survey_states

    output = settings.output_dir
    if not output.is_dir():
        problem, remedy = "does not exist yet", "run the campaign first"
        raise ConfigError(problem, keyword="output_dir", value=output, remedy=remedy)
    states = survey_states(output, plan_exposures(settings))
    write_campaign_page(output, states)
    print("\n".join(closing_lines(output, states)))


def _show(options: argparse.Namespace) -> None:
    from .report.pair_table import as_text
    from .report.product import show_product

    output = options.output or options.product.with_suffix(".png")
    print(as_text(show_product(options.product, output, science=options.science)))
    print(f"{output}: written")


def _crate(options: argparse.Namespace) -> None:
    from .campaign.configuration import read_settings

    threads = _at_least(1, options.threads, "--threads")
    path = _write_crate(read_settings(options.config), threads=threads)
    print(f"{path}: written")


def _write_crate(settings: Settings, *, threads: int) -> Path:
    from .archive.write_rocrate import write_crate
    from .campaign.exposures import plan_exposures
    from .campaign.facts import FactsStore

    facts = FactsStore.of(settings)
    return write_crate(settings, plan_exposures(settings), facts, threads=threads)


def _deploy(options: argparse.Namespace) -> None:
    from .archive.checkout import deploy_workflow

    deploy_workflow(options.folder)
    print(f"{options.folder}: written")
