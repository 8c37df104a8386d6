"""Read the configuration, plan the campaign, and define the functions that rules share."""

import os
from functools import cache

from snakemake.io import flag
from snakemake.path_modifier import PATH_MODIFIER_FLAG
from snakemake.script import PythonScript

from psfalign.campaign import layout
from psfalign.campaign.attempts import ATTEMPT
from psfalign.campaign.configuration import complete_config, read_strictly
from psfalign.campaign.exposures import NAME
from psfalign.campaign.judgement import Judgement
from psfalign.campaign.plan import Plan
from psfalign.report.html import digest_looks
from psfalign.steps.registry import STEPS
from psfalign.system import warm

IS_MAIN = workflow.is_main_process  # on a cluster, each job starts Snakemake again
# The prefix of a module (Snakemake itself puts it before outputs), and object storage.
PLACES = workflow.modifier.path_modifier
if not IS_MAIN:  # a job that failed for its data ends at once when Snakemake tries it again
    os.environ[ATTEMPT] = str(workflow.attempt)
remote = workflow.storage_settings
with said_in_one_line():
    if IS_MODULE:
        SETTINGS = complete_config(config, f"config of module {workflow.modifier.namespace}")
    else:
        origin, given = read_strictly(workflow.configfiles), workflow.config_settings.config
        SETTINGS = complete_config(config, origin, command_line=given)
    OUTPUT = str(SETTINGS.output_dir)
    PLAN = Plan(
        SETTINGS,
        scripts=HOME / "scripts",
        looks=digest_looks(),
        results=Path(PLACES.replace_prefix(OUTPUT)),
        is_whole=IS_MAIN,
        runs_elsewhere=bool(workflow.deployment_settings.deployment_method),
        in_storage=bool(remote and remote.default_storage_provider),
    )
    for warning in PLAN.list_warnings():
        logger.warning(f"psfalign: warning: {warning}")
    JUDGEMENT = Judgement(PLAN)
    for line in JUDGEMENT.lines:
        logger.info(f"psfalign: {line}")

if SETTINGS.warm_start and warm.is_available():
    PythonScript.execute_script = warm.warm(PythonScript.execute_script, warm.WarmPython())


# A pattern and not the list of names, because Snakemake matches it for each file of each job.
wildcard_constraints:
    exposure=NAME.pattern,
    stack=NAME.pattern,
    association=NAME.pattern,


def file_of(step, part=""):
    """Return the path of the main or another output of a step, with the wildcard of its scope."""
    return f"{OUTPUT}/{layout.result_pattern(step, part)}"


def files_of(step):
    """Return the outputs of a step by name; intermediate ones are temporary unless kept."""
    keep = SETTINGS.keep_intermediates or not STEPS[step].is_intermediate
    parts = [part for part, file in STEPS[step].outputs.items() if SETTINGS.is_written(file)]
    return {p: file_of(step, p) if keep else temp(file_of(step, p)) for p in parts}


def log_of(step):
    return f"{OUTPUT}/{layout.log_pattern(step)}"


def name_of(step, wildcards):
    """Return the name of the exposure, stack or association that a job works on."""
    return wildcards.get(STEPS[step].scope, "")


@cache
def tell_engine():
    """Mark outdated results, so that Snakemake makes them again if they are needed."""
    workflow.dag.forcefiles.update(map(str, JUDGEMENT.outdated))


def raw(path):
    """Mark an input from outside as ancient: its digest decides what runs again, not its time."""
    if PLAN.facts.is_made_first(path):
        return str(path)
    address = PLAN.facts.manifest.address_of(path)
    if address:
        return ancient(storage(address))
    # The prefix of a module belongs to outputs only, a default storage provider to inputs, too.
    # `local` would switch off both.
    return ancient(flag(PLACES.apply_default_storage(str(path)), PATH_MODIFIER_FLAG))


def sources_of(step):
    """Return the input functions for the files from outside that a step reads, by their names."""

    def read(kind):
        @said_in_one_line()
        def paths(wildcards):
            tell_engine()
            found = [raw(path) for path in PLAN.sources(step, name_of(step, wildcards))[kind]]
            return found[0] if kind.is_single else found

        return paths

    return {str(kind): read(kind) for kind in STEPS[step].reads}


def made_by(step, *, for_step, part="", of_other_rolls=False):
    """Return the input function for the results of another step; none if it is not run."""

    @said_in_one_line()
    def paths(wildcards):
        tell_engine()
        name = name_of(for_step, wildcards)
        made = PLAN.made_by(step, for_step, name, part=part, of_other_rolls=of_other_rolls)
        files = [f"{OUTPUT}/{path}" for path in made]
        # Inputs are ancient where their time must not decide whether the job runs again.
        found = files if JUDGEMENT.follows(step, for_step, name) else [*map(ancient, files)]
        return found[0] if len(found) == 1 and not of_other_rolls else found

    return paths


def job_of(step):
    """Return the function for the parameter with all that a job depends on besides its inputs."""

    def job(wildcards):
        return PLAN.job(step, name_of(step, wildcards))

    # A parameter function with the argument `input` never makes Snakemake run a job again.
    def uncounted(wildcards, input):
        return job(wildcards)

    return uncounted if JUDGEMENT.is_of(step) else job


def crds_reason(wildcards, input):
    """Return by which rules CRDS chose the mask of an exposure, for the record."""
    # It has the argument `input`, too: a new context that chooses the same file changes no result.
    choice = PLAN.crds_choice(wildcards.exposure)
    return choice.reason if choice else ""
