"""Helpers of the rules: the campaign, its files, and what makes a job run again."""

import json
import os
from dataclasses import asdict, replace
from functools import cache

from snakemake.io import flag
from snakemake.path_modifier import PATH_MODIFIER_FLAG
from snakemake.script import PythonScript

from psfalign.campaign import layout, resources
from psfalign.campaign.attempts import ATTEMPT, counted_attempt
from psfalign import simulate
from psfalign.campaign.combining import choose_combined, group_exposures
from psfalign.campaign.expected import Expectations, manifest_of, simulation_of
from psfalign.campaign.exposures import NAME, plan_exposures
from psfalign.report.campaign import closing_lines, write_campaign_page
from psfalign.campaign.configuration import complete_config
from psfalign.campaign.options import values_of
from psfalign.campaign.truth import Truth
from psfalign.errors import PsfalignError, error_line
from psfalign.campaign.facts import CACHE, FactsStore
from psfalign.report.html import digest_looks
from psfalign.psfmask.resolved import UNIFORM
from psfalign.campaign.memory import available_memory, check_memory
from psfalign.campaign.checks import inspect_campaign, list_simulated
from psfalign.files.provenance.code import code_digest, remember_code
from psfalign.report.states import survey_states
from psfalign.system import warm
from psfalign.steps.registry import STEPS, Scope, led_to, steps_of


report: "../report/workflow.rst"


# A job of a cluster that failed for its data ends at once when the engine tries it again.
if not workflow.is_main_process:
    os.environ[ATTEMPT] = str(workflow.attempt)

SCRIPTS = HOME / "scripts"


def refuse(errors):
    """End before anything has run, with one line for each mistake."""
    lines = dict.fromkeys(map(error_line, errors))
    raise SystemExit("\n".join(lines))


if IS_MODULE:
    CONFIG_FILES, ORIGIN = [], f"config of module {workflow.modifier.namespace}"
else:
    CONFIG_FILES = workflow.configfiles
    ORIGIN = ", ".join(map(str, CONFIG_FILES)) or None

with said_in_one_line():
    for path in CONFIG_FILES:
        read_yaml(Path(path))
    GIVEN = {} if IS_MODULE else workflow.config_settings.config
    SETTINGS = complete_config(config, ORIGIN, command_line=GIVEN)
    EXPOSURES = {exposure.name: exposure for exposure in plan_exposures(SETTINGS)}

if SETTINGS.warm_start and warm.is_available():
    PythonScript.execute_script = warm.warm(PythonScript.execute_script, warm.WarmPython())

STACKS = {exposure.stack.name: exposure.stack for exposure in EXPOSURES.values()}
ASSOCIATIONS = group_exposures(EXPOSURES.values())
ALIGN, SUBTRACTION = SETTINGS.align_refs, SETTINGS.psf_subtraction
SUBTRACTING = SUBTRACTION.method != "none"
OUTPUT = str(SETTINGS.output_dir)
SIMULATED = list_simulated(SETTINGS)
SEED = 9999  # of the demo
LOOKS = digest_looks()

# More exposures than these in one HTML file, and no browser opens it with pleasure. The page of
# the campaign has all; the figures of all are in the folder of the report.
MOST_REPORTED = 100


def file_of(step, part=""):
    """Return where a step writes the main or another output, with the wildcard of its scope."""
    return f"{OUTPUT}/{layout.result_pattern(step, part)}"


def files_of(step):
    """Return all outputs of a step by their names; those that only other steps need can go."""
    keep = SETTINGS.keep_intermediates or not STEPS[step].is_intermediate
    return {part: keep_or_not(file_of(step, part), keep) for part in STEPS[step].outputs}


def keep_or_not(path, keep):
    return path if keep else temp(path)


def log_of(step):
    return f"{OUTPUT}/{layout.log_pattern(step)}"


CAMPAIGN_PAGE = f"{OUTPUT}/{layout.CAMPAIGN_PAGE}"


# Not the names themselves: the engine goes through this text for each file of each job.
wildcard_constraints:
    exposure=NAME.pattern,
    stack=NAME.pattern,
    association=NAME.pattern,


# Many jobs of a cluster at a time would write over what each other, and the engine, remember.
FACTS = FactsStore(CACHE, read_only=not workflow.is_main_process)


def digests(*paths):
    """SHA-256 of inputs from outside, by path; those that the demo makes have none yet."""
    return {str(path): FACTS.digest(path) for path in paths if str(path) not in SIMULATED}


# The engine puts the prefix of a module before the outputs itself.
RESULTS = Path(workflow.modifier.path_modifier.replace_prefix(OUTPUT))
PLACED = replace(SETTINGS, output_dir=RESULTS)


def inspect(exposures):
    """Check files and choose masks; end where something is wrong."""
    findings = inspect_campaign(PLACED, exposures, FACTS, simulated=SIMULATED)
    if findings.errors:
        refuse(findings.errors)
    return findings


# On a cluster, each job starts the engine again: there, only what it works on is looked at.
FINDINGS = inspect(EXPOSURES.values()) if workflow.is_main_process else None
CRDS = FINDINGS.crds if FINDINGS else {}
for warning in FINDINGS.warnings if FINDINGS else ():
    logger.warning(f"psfalign: warning: {warning}")


COMBINED = []
if SUBTRACTING and workflow.is_main_process:
    COMBINED, NOT_COMBINED = choose_combined(
        ASSOCIATIONS, EXPOSURES, SUBTRACTION.star, FACTS, simulated=SIMULATED
    )
    for warning in NOT_COMBINED:
        logger.warning(f"psfalign: warning: {warning}")


@cache
def findings_of(exposure):
    return FINDINGS or inspect([EXPOSURES[exposure]])


def masks_for(exposure):
    return findings_of(exposure).masks[exposure]


def choice_of_crds(exposure):
    return findings_of(exposure).crds.get(exposure)


def raw(path):
    """An input from outside: its digest decides what runs again, not its time."""
    if str(path) in SIMULATED:
        return str(path)
    # The prefix of a module is for what psfalign writes, not for what it is given; a default
    # storage provider is for both. `local` would keep both away.
    staged = workflow.modifier.path_modifier.apply_default_storage(str(path))
    return ancient(flag(staged, PATH_MODIFIER_FLAG))


def in_storage():
    """Whether results lie where only the engine can look at them."""
    return bool(workflow.storage_settings and workflow.storage_settings.default_storage_provider)


def masking_of(exposure):
    """How the mask of an exposure is read, or made of its flags."""
    how = values_of(SETTINGS.psfmask, "resolve_psfmask")
    if exposure.psfmask == UNIFORM:
        how["bad_bits"] = ALIGN.cleaning["bad_bits"]
    return how


def aligning(exposure):
    settings = {**values_of(ALIGN, "align_psfs"), "candidate": exposure.asn_id}
    if exposure.product:
        settings["product_name"] = exposure.product
    return settings


def combining():
    star = values_of(SUBTRACTION, "subtract_psf")["star"]
    return {"star": star, **values_of(SUBTRACTION, "combine_rolls")}


def settings_of(step, exposure):
    """The settings of a job, by the names under which its step records them; None: it never runs."""
    if STEPS[step].is_optional and not SUBTRACTING:
        return None
    if step == "combine_rolls" and exposure.name_in(Scope.ASSOCIATION) not in COMBINED:
        return None
    settings = {
        "resolve_psfmask": masking_of(exposure),
        "clean_science": ALIGN.cleaning,
        "clean_psfs": ALIGN.cleaning,
        "fit_shifts": values_of(ALIGN, "fit_shifts"),
        "align_psfs": aligning(exposure),
        "subtract_psf": values_of(SUBTRACTION, "subtract_psf"),
        "combine_rolls": combining(),
        "plot_exposure": {"style": LOOKS},
    }
    return settings.get(step, {})


def judge_results():
    """Find out which results are what they should be; nothing where nobody can look at them."""
    if not workflow.is_main_process or in_storage():
        return None
    is_demo = any(str(exposure.science) in SIMULATED for exposure in EXPOSURES.values())
    simulated = simulation_of(RESULTS, SIMULATED, SEED) if is_demo else []
    again = Truth(simulated, FACTS).outdated or not all(map(os.path.exists, SIMULATED))
    expected = Expectations(
        RESULTS,
        settings_of,
        FINDINGS.masks,
        FACTS,
        unknown=SIMULATED if again else (),
        with_crds=bool(CRDS),
    )
    results = [*simulated, *expected.results(EXPOSURES.values())]
    if CRDS:
        results.append(manifest_of(RESULTS, CRDS, FACTS))
    truth = Truth(results, FACTS)
    FACTS.save()
    return truth


# The engine remembers jobs in the working directory, by paths as they are spelled. What results say
# of themselves decides instead.
TRUTH = judge_results()
for line in TRUTH.describe() if TRUTH else ():
    logger.info(f"psfalign: {line}")


@cache
def tell_engine():
    """Let the engine make again what is outdated, as --forcerun does, but ask for no file."""
    if TRUTH:
        workflow.dag.forcefiles.update(str(found.path) for found in TRUTH.outdated)


def uncounted(job):
    """The function of a parameter by which the engine does not decide what runs again."""

    # It never counts what is derived from `input`, as this pretends to be.
    def derived(wildcards, input):
        return job(wildcards)

    return derived if TRUTH else job


def made_by(step, *, for_step):
    """Return the input function for what another step made of the same exposure or stack."""

    def path(wildcards):
        if STEPS[for_step].scope is Scope.STACK:
            names = {Scope.STACK: stack_of(wildcards).name}
        else:
            exposure = exposure_of(wildcards)
            names = {scope: exposure.name_in(scope) for scope in Scope}
        file = file_of(step).format(**names)
        # Where nothing from here on has to run, the time of a file tells nothing, nor that it is
        # made again; where something has to, the engine sees so only along inputs that count.
        if TRUTH is None:  # what a step only waits for never counts
            return file if step in led_to(for_step) else ancient(file)
        follows = TRUTH.follows(for_step, names[STEPS[for_step].scope])
        return file if follows else ancient(file)

    return path


@cache
def code_of(script):
    return code_digest(SCRIPTS / script)


def job(script, settings, *paths):
    """What a job depends on besides its input files, as one parameter: names count in it."""
    return {"settings": settings, "inputs": digests(*paths), "code": code_of(script)}


def known(name, campaign):
    """The exposure or stack of this name; a target on the command line may name another."""
    tell_engine()
    if name not in campaign:
        refuse([f"{name}: is not in the campaign; check the name"])
    return campaign[name]


def exposure_of(wildcards):
    return known(wildcards.exposure, EXPOSURES)


def stack_of(wildcards):
    return known(wildcards.stack, STACKS)


def masks_of(wildcards):
    return [raw(mask) for mask in masks_for(exposure_of(wildcards).name)]


def science_input(wildcards):
    return raw(exposure_of(wildcards).science)


def psfs_input(wildcards):
    stack = stack_of(wildcards)
    if stack.is_stacked:
        return raw(stack.members[0])
    return made_by("stack_psfs", for_step="clean_psfs")(wildcards)


def resolve_psfmask_inputs(wildcards):
    exposure = exposure_of(wildcards)
    return {
        "science": raw(exposure.science),
        "masks": [raw(mask) for mask in masks_for(exposure.name)],
    }


def association_of(wildcards):
    association = exposure_of(wildcards).association
    return [raw(association)] if association else []


def stack_members(wildcards):
    return [raw(member) for member in stack_of(wildcards).members]


def resolve_psfmask_job(wildcards):
    exposure = exposure_of(wildcards)
    choice = choice_of_crds(exposure.name)
    psfmask = choice.psfmask if choice else exposure.psfmask
    settings = {"psfmask": psfmask} | settings_of("resolve_psfmask", exposure)
    source = {"crds": True} if choice else {}
    masks = masks_for(exposure.name)
    return source | job("resolve_psfmask.py", settings, exposure.science, *masks)


def crds_reason(wildcards, input):
    # The engine never counts a parameter that is derived from `input`, as this one pretends to be:
    # where another context chooses the same file, nothing is to be done again.
    choice = choice_of_crds(wildcards.exposure)
    return choice.reason if choice else ""


def crds_masks(wildcards):
    return [raw(mask) for exposure in CRDS for mask in masks_for(exposure)]


def crds_manifest_job(wildcards):
    settings = {exposure: asdict(choice) for exposure, choice in CRDS.items()}
    masks = [mask for exposure in CRDS for mask in masks_for(exposure)]
    return job("write_crds_manifest.py", settings, *masks)


def stack_psfs_job(wildcards):
    return job("stack_psfs.py", {}, *stack_of(wildcards).members)


def clean_science_job(wildcards):
    exposure = exposure_of(wildcards)
    return job("clean.py", settings_of("clean_science", exposure), exposure.science)


def clean_psfs_job(wildcards):
    stack = stack_of(wildcards)
    return job("clean.py", ALIGN.cleaning, *(stack.members if stack.is_stacked else ()))


def fit_shifts_job(wildcards):
    return job("fit_shifts.py", values_of(ALIGN, "fit_shifts"), *masks_for(wildcards.exposure))


def association_members(wildcards):
    """The exposures that are combined in one picture."""
    return [known(name, EXPOSURES) for name in known(wildcards.association, ASSOCIATIONS)]


def subtracted_of(wildcards):
    members = association_members(wildcards)
    follows = TRUTH is None or TRUTH.follows("combine_rolls", wildcards.association)
    paths = [file_of("subtract_psf").format(exposure=member.name) for member in members]
    return paths if follows else [ancient(path) for path in paths]


def subtracted_before(wildcards):
    """What the figures wait for, so that one file of an exposure stands for all."""
    before = made_by("subtract_psf", for_step="plot_exposure")
    return before(wildcards) if SUBTRACTING else []


def subtract_psf_job(wildcards):
    return job("subtract_psf.py", values_of(SUBTRACTION, "subtract_psf"))


def combine_rolls_job(wildcards):
    return job("combine_rolls.py", combining())


def combined(wildcards):
    """All files of the pictures that can be made."""
    return [
        file_of(step.name, part).format(association=name)
        for name in COMBINED
        for step, part, _ in layout.outputs(steps_of(Scope.ASSOCIATION))
    ]


def align_psfs_job(wildcards):
    exposure = exposure_of(wildcards)
    association = [exposure.association] if exposure.association else []
    settings = settings_of("align_psfs", exposure)
    return job("align_psfs.py", settings, *masks_for(wildcards.exposure), *association)


@cache
def shape_of(path):
    """Integrations, rows and columns of an input; those of the demo are known before it is made."""
    if str(path) in SIMULATED:
        return simulate.SHAPES[path.name]
    facts = FACTS.exposure(path)
    return facts["integrations"], *facts["shape"]


@cache
def size_of_stack(stack):
    shapes = [shape_of(member) for member in STACKS[stack].members]
    return resources.Size(sum(shape[0] for shape in shapes), 0, shapes[0][1] * shapes[0][2])


@cache
def size_of_exposure(name, step):
    integrations, rows, columns = shape_of(EXPOSURES[name].science)
    stack = size_of_stack(EXPOSURES[name].stack.name)
    padding = ALIGN.padding if STEPS[step].cost.is_padded else 0
    pixels = (rows + padding) * (columns + padding)
    return resources.Size(integrations, stack.integrations, pixels)


def size_of_association(name, step):
    """All integrations of its exposures, the most psf images and the largest plane of them."""
    sizes = [size_of_exposure(member, step) for member in known(name, ASSOCIATIONS)]
    integrations = sum(size.integrations for size in sizes)
    return resources.Size(
        integrations, max(size.psfs for size in sizes), max(size.pixels for size in sizes)
    )


def size_of(wildcards, step):
    """The size of what a job works on: an exposure, a stack, or nothing in particular."""
    scope = STEPS[step].scope
    if scope is Scope.EXPOSURE:
        return size_of_exposure(wildcards.exposure, step)
    if scope is Scope.STACK:
        return size_of_stack(wildcards.stack)
    if scope is Scope.ASSOCIATION:
        return size_of_association(wildcards.association, step)
    return resources.Size(0, 0, 0)


def memory_of(step):
    """Return the function that tells the engine how many MB a job of a rule needs."""

    def memory(wildcards, attempt, threads):
        size = size_of(wildcards, step)
        attempt = counted_attempt(attempt, Path(log_of(step).format(**wildcards)))
        mb = resources.memory_mb(
            step, size, weighting=ALIGN.weighting, threads=threads, attempt=attempt
        )
        # On a cluster, what starts the step counts, too.
        return mb if workflow.local_exec else mb + resources.engine_mb(len(EXPOSURES))

    return memory


def refuse_without_memory():
    """End before the first job where one of them needs more than this machine has."""
    if not (workflow.local_exec and workflow.is_main_process):
        return  # elsewhere, the cluster knows
    needs = {
        (name, step): resources.peak_bytes(step, size_of_exposure(name, step), ALIGN.weighting)
        for name in EXPOSURES
        for step in (entry.name for entry in steps_of(Scope.EXPOSURE))
    }
    errors = check_memory(needs, available_memory())
    if errors:
        refuse(errors)


def minutes_of(step):
    """Return the function that tells the engine how many minutes a job of a rule may take."""

    def minutes(wildcards, attempt):
        how = {"weighting": ALIGN.weighting, "method": ALIGN.method}
        attempt = counted_attempt(attempt, Path(log_of(step).format(**wildcards)))
        return resources.minutes(step, size_of(wildcards, step), **how, attempt=attempt)

    return minutes


def plot_exposure_job(wildcards):
    return job("plot_exposure.py", {"style": LOOKS}, *masks_for(wildcards.exposure))


def plot_association_job(wildcards):
    return job("plot_association.py", {"style": LOOKS})


def exposures_to_report():
    """Those that fit into the report: if not all, what deserves a look most."""
    if len(EXPOSURES) <= MOST_REPORTED:
        return list(EXPOSURES)
    try:
        states = json.loads(placed(CAMPAIGN_PAGE).with_suffix(".json").read_text("utf-8"))
        names = [state["name"] for state in states if state["name"] in EXPOSURES]
    except (OSError, ValueError, KeyError, TypeError):  # not there yet, or not ours
        names = list(EXPOSURES)
    return names[:MOST_REPORTED]


def placed(path):
    return Path(workflow.modifier.path_modifier.replace_prefix(path))


def reported(path, caption, category, subcategory, labels):
    return report(
        path,
        caption=f"report/{caption}.rst",  # from workflow/Snakefile, where it is used
        category=category,
        subcategory=subcategory,
        labels=labels,
    )


def pages_to_report():
    """
    What --report takes into its HTML.

    These are inputs of the default target and not outputs of plot_exposure, because the engine
    refuses to write a report where one figure of one failed exposure is missing.
    """
    if workflow.default_target:
        return []  # that of an outer workflow, whose inputs must not change with what is there
    pages = [(CAMPAIGN_PAGE, "campaign", "Campaign", None, {"page": "Did it work, and how well?"})]
    kinds = (
        (Scope.ASSOCIATION, "North up", COMBINED[:MOST_REPORTED]),
        (Scope.EXPOSURE, "Exposures", exposures_to_report()),
    )
    for scope, category, names in kinds:
        for name in names:
            for step, part, output in layout.outputs(steps_of(scope)):
                if output.label:
                    path = layout.result(Path(OUTPUT), step.name, name, part)
                    pages.append((str(path), part, category, name, {"figure": output.label}))
    return [reported(*page) for page in pages if placed(page[0]).exists()]


def all_results():
    """All files that a finished campaign has; those that go when they are used are not asked for."""
    stacked = {name: stack for name, stack in STACKS.items() if not stack.is_stacked}
    names = {Scope.EXPOSURE: EXPOSURES, Scope.STACK: STACKS}
    pages = dict.fromkeys(pages_to_report())
    paths = [
        str(layout.result(Path(OUTPUT), step.name, name, part))
        for scope in names
        for step, part, _ in layout.outputs(steps_of(scope))
        if SUBTRACTING or not step.is_optional
        if SETTINGS.keep_intermediates or not step.is_intermediate
        for name in (stacked if step.name == "stack_psfs" else names[scope])
    ]
    return [*pages, *(path for path in paths if path not in pages)]


def conclude():
    """Write the page of the campaign, whatever has failed, and say how it went."""
    states = survey_states(RESULTS, EXPOSURES.values())
    try:
        write_campaign_page(RESULTS, states)
    except OSError as error:
        logger.warning(f"psfalign: warning: the campaign page was not written: {error}")
    print("\n".join(closing_lines(RESULTS, states)))


def describe():
    """Write the RO-Crate of what is there now; a run does not fail for it."""
    from psfalign.archive.write_rocrate import write_crate

    if not workflow.local_exec:
        # Every product is read for it, which is no work for the machine that submits jobs.
        logger.info("psfalign: not written here: the RO-Crate; let a job run `psfalign crate`")
        return
    try:
        write_crate(PLACED, EXPOSURES.values(), FACTS, threads=workflow.cores or 1)
    except (PsfalignError, OSError) as error:
        logger.warning(f"psfalign: warning: the RO-Crate was not written: {error}")
