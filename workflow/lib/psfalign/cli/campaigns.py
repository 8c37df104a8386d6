"""Define the commands for whole campaigns."""

import argparse
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, error_line
from .arguments import Commands, at_least, positive, warn

if TYPE_CHECKING:
    from ..campaign.checks import Findings
    from ..campaign.exposures import ScienceExposure

NO_MASKS = (
    "psfmask.references is empty; before you run it, name masks there, or make them with `psfalign "
    "make-psfmask`; docs/masks.md says where they come from"
)


def _add_campaign(commands: Commands) -> None:
    command = commands.add_parser("campaign", help="write a configuration for a folder of files")
    command.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="folder of calibrated exposures and associations; its subfolders are included",
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


def _campaign(options: argparse.Namespace) -> None:
    from ..campaign.survey.campaign import survey_folders
    from ..campaign.write_config import refuse_existing, write_campaign

    refuse_existing(options.output)
    survey = survey_folders(options.folders, options.masks)
    found = bool(survey.associations or survey.entries)
    for line in survey.remarks.lines(written=options.output if found else None):
        print(f"psfalign: {line}", file=sys.stderr)
    write_campaign(survey, options.output)
    if not survey.references:
        print(f"psfalign: warning: {options.output}: {NO_MASKS}", file=sys.stderr)
    print(f"{options.output}: written, {survey.summary}")


def _add_manifest(commands: Commands) -> None:
    command = commands.add_parser(
        "manifest", help="list input files, to plan runs on machines that cannot read them"
    )
    command.add_argument(
        "places",
        type=Path,
        nargs="+",
        metavar="PLACE",
        help="configuration whose inputs are listed, or folder of exposures, masks, associations",
    )
    command.add_argument(
        "--address",
        default="",
        metavar="URL",
        help="address that is put before the paths, such as s3://bucket/folder, from which jobs "
        "fetch the files; default: their paths in the configuration",
    )
    command.add_argument(
        "--output",
        type=Path,
        default=Path("manifest.json"),
        metavar="FILE",
        help="file to write, default manifest.json",
    )
    command.set_defaults(run=_manifest)


def _manifest(options: argparse.Namespace) -> None:
    from ..campaign.facts import CACHE, FactsStore
    from ..campaign.words import plural
    from ..campaign.write_manifest import write_manifest

    n_files, remarks = write_manifest(
        options.places, options.output, FactsStore(CACHE), address=options.address
    )
    for line in remarks.lines():
        print(f"psfalign: {line}", file=sys.stderr)
    print(f"{options.output}: written, {plural(n_files, 'file')}")


def _add_check(commands: Commands) -> None:
    command = commands.add_parser("check", help="check a configuration and all its files")
    command.add_argument("config", type=Path, help="the configuration, YAML")
    command.add_argument("--output-dir", action="store_true", help="print its output_dir only")
    command.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from ..campaign.checks import inspect_campaign
    from ..campaign.configuration import read_settings
    from ..campaign.exposures import plan_exposures
    from ..campaign.facts import FactsStore

    settings = read_settings(options.config)
    if options.output_dir:
        print(settings.output_dir)
        return 0
    exposures = plan_exposures(settings)
    return not _is_right(inspect_campaign(settings, exposures, FactsStore.of(settings)), exposures)


def _is_right(findings: "Findings", exposures: Iterable["ScienceExposure"]) -> bool:
    """Print the errors in a campaign, or its exposures, and return whether it can run."""
    for line in dict.fromkeys(map(error_line, findings.errors)):
        print(line, file=sys.stderr)
    for warning in findings.warnings:
        warn(warning)
    if not findings.errors:
        for exposure in exposures:
            print(f"{exposure.name}: psfs {exposure.stack.name}")
    return not findings.errors


def _add_run(commands: Commands) -> None:
    command = commands.add_parser("run", help="run a campaign, and write its report")
    command.add_argument(
        "--batch",
        type=positive,
        default=250,
        metavar="N",
        help="exposures to plan and run together, default 250; on a cluster, at most in one job",
    )
    command.add_argument(
        "--interval",
        type=positive,
        default=60,
        metavar="SECONDS",
        help="seconds between two lines of progress.jsonl in the report folder, default 60",
    )
    command.add_argument("config", type=Path, help="the configuration, YAML")
    engine = command.add_argument(
        "arguments",
        nargs=argparse.REMAINDER,
        help="further arguments of Snakemake, such as `--cores 4`",
    )
    engine.required = False
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ..campaign.batches import Work, exposures_left, plan_batches
    from ..campaign.configuration import complete_config
    from ..campaign.judgement import Judgement
    from ..campaign.output_folder import say_elsewhere
    from ..campaign.plan import Plan
    from ..campaign.run import (
        FORCED,
        LOCAL,
        Engine,
        alone_in,
        check_notes,
        count_batches,
        given_by,
        is_run,
        options_of,
        run_campaign,
        run_in_batches,
        run_on_cluster,
    )
    from ..campaign.targets import MOST_REPORTED, REPORT_TARGET
    from ..campaign.yaml import read_yaml
    from ..report.html import digest_looks
    from ..report.run_progress import Progress

    engine, given = Engine(options.config, options.arguments), given_by(options.arguments)
    if not is_run(options.arguments):
        return engine.run()
    settings = complete_config(read_yaml(options.config), options.config, command_line=given)
    told, output = options_of(options.arguments), settings.output_dir
    in_storage = "default_storage_provider" in told
    scripts = engine.workflow / "scripts"
    plan = Plan(settings, scripts=scripts, looks=digest_looks(), in_storage=in_storage)
    exposures = plan.exposures.values()
    if not _is_right(plan.inspection, exposures):
        return 1
    check_notes()

    def close() -> None:
        from ..archive.closing import close_campaign

        if not output.is_dir():  # the results are not on this machine
            print(f"psfalign: {say_elsewhere(output)}", file=sys.stderr)
            return
        lines = close_campaign(settings, exposures, plan.facts, threads=2, warn=warn)
        print("\n".join(lines))

    judgement, n_exposures = Judgement(plan), len(exposures)
    has_pictures = settings.has_step("plot_association")
    with (
        nullcontext() if in_storage else alone_in(output),
        Progress(output, exposures, interval=options.interval, has_pictures=has_pictures),
    ):
        if told["executor"] == LOCAL or in_storage:
            is_forced = not FORCED.isdisjoint(options.arguments)
            n_left = n_exposures if is_forced else len(exposures_left(Work(plan), judgement))
            run_in_batches(engine, count_batches(n_left, options.batch))
        elif batches := plan_batches(plan, judgement, most=options.batch):
            cores = told["cores"]
            if not run_on_cluster(engine, output, batches, exposures=n_exposures, cores=cores):
                return 1
        shown = [] if n_exposures <= MOST_REPORTED else [REPORT_TARGET]
        return run_campaign(engine, output, close=close, shown=shown)


def _add_summary(commands: Commands) -> None:
    command = commands.add_parser(
        "summary", help="print the state of a campaign, and renew its page"
    )
    command.add_argument("config", type=Path, help="the configuration, YAML")
    command.set_defaults(run=_summary)


def _summary(options: argparse.Namespace) -> None:
    from ..campaign.configuration import read_settings
    from ..campaign.exposures import plan_exposures
    from ..report.campaign import closing_lines, write_campaign_page
    from ..report.states import survey_states

    settings = read_settings(options.config)
    output = settings.output_dir
    if not output.is_dir():
        problem, remedy = "does not exist yet", "run the campaign first"
        raise ConfigError(problem, keyword="output_dir", value=output, remedy=remedy)
    has_pictures = settings.has_step("plot_association")
    states = survey_states(output, plan_exposures(settings), has_pictures=has_pictures)
    write_campaign_page(output, states)
    print("\n".join(closing_lines(output, states)))


def _add_crate(commands: Commands) -> None:
    command = commands.add_parser(
        "crate", help="write the RO-Crate of a campaign, as a run does at its end"
    )
    command.add_argument("config", type=Path, help="the configuration, YAML")
    command.add_argument("--threads", type=int, default=2)
    command.set_defaults(run=_crate)


def _crate(options: argparse.Namespace) -> None:
    from ..archive.write_rocrate import write_crate
    from ..campaign.configuration import read_settings
    from ..campaign.exposures import plan_exposures
    from ..campaign.facts import FactsStore

    settings = read_settings(options.config)
    threads = at_least(1, options.threads, "--threads")
    path = write_crate(settings, plan_exposures(settings), FactsStore.of(settings), threads=threads)
    print(f"{path}: written")


def _add_deploy(commands: Commands) -> None:
    command = commands.add_parser("deploy", help="write the workflow into a folder, ready to run")
    command.add_argument("folder", type=Path, help="a new folder")
    command.set_defaults(run=_deploy)


def _deploy(options: argparse.Namespace) -> None:
    from ..archive.checkout import deploy_workflow

    deploy_workflow(options.folder)
    print(f"{options.folder}: written")


# In the order of the help.
COMMANDS = (
    _add_campaign,
    _add_check,
    _add_run,
    _add_summary,
    _add_manifest,
    _add_crate,
    _add_deploy,
)
