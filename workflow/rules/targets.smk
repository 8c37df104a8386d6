"""List the files that a run requests, and write the report at its end."""

from psfalign.campaign.output_folder import say_elsewhere
from psfalign.campaign.targets import find_unfinished, list_asked, list_pages, list_results
from psfalign.files.provenance.code import remember_code

CAPTIONS = workflow.current_basedir.join("../report")
COUNTED = {"PARAMS", "MTIME"}  # the triggers of jobs that psfalign takes into account


def all_results():
    """Return all results of the campaign, or the function that returns the files to request."""
    # The inputs of the target of an outer workflow must not depend on existing files.
    if workflow.default_target:
        return [f"{OUTPUT}/{path}" for path in list_results(PLAN)]
    return asked_results


@said_in_one_line()
def asked_results(wildcards):
    """Return the files to request from Snakemake, with those that its report shows."""
    if only_makes_what_is_left():
        # A target without inputs would run as a job, so at least one exposure is planned.
        first = {("exposure", next(iter(PLAN.exposures)))}
        found = list_asked(PLAN, find_unfinished(PLAN, JUDGEMENT) or first)
        return [f"{OUTPUT}/{path}" for path in found]
    pages = pages_for_report(wildcards)
    shown = set(pages)
    paths = (f"{OUTPUT}/{path}" for path in list_asked(PLAN))
    return [*pages, *(path for path in paths if path not in shown)]


def only_makes_what_is_left():
    """
    Return whether Snakemake can skip finished exposures, which it then does not plan.

    It cannot if it only reports or lists, if it is told to run jobs again or to use triggers that
    psfalign does not take into account, or if a killed run has left marks of incomplete files.
    """
    told, marks = workflow.dag_settings, Path(workflow.persistence.path, "incomplete")
    is_run = workflow.execution_settings is not None and workflow.scheduler is None
    is_forced = told.forceall or told.forcetargets or told.forcerun or workflow.touch
    counted = {trigger.name for trigger in workflow.rerun_triggers}
    is_clean = marks.is_dir() and not any(path.is_file() for path in marks.rglob("*"))
    return IS_MAIN and is_run and not is_forced and counted <= COUNTED and is_clean


def pages_for_report(wildcards):
    """Return the files that the report of Snakemake shows."""
    # The pages are inputs of a target and not outputs of the figures' rules, because Snakemake
    # writes no report if an output is missing, for example a figure of a failed exposure.
    return [*map(reported, list_pages(PLAN))]


def reported(page):
    """Mark a page for the report of Snakemake."""
    return report(
        str(Path(OUTPUT) / page.path),
        caption=CAPTIONS.join(f"{page.caption}.rst"),
        category=page.category,
        subcategory=page.subcategory,
        labels=page.labels,
    )


def close():
    """Write the RO-Crate and the page of the campaign, and print the summary."""
    from psfalign.archive.closing import close_campaign

    if PLAN.in_storage:
        logger.info(f"psfalign: {say_elsewhere(OUTPUT)}")
        return
    if not workflow.local_exec:
        # The RO-Crate needs all products to be read, which the submitting machine should not do.
        logger.info("psfalign: not written here: the RO-Crate; let a job run `psfalign crate`")
    lines = close_campaign(
        PLAN.settings,
        PLAN.exposures.values(),
        PLAN.facts if workflow.local_exec else None,
        threads=workflow.cores or 1,
        warn=lambda text: logger.warning(f"psfalign: warning: {text}"),
    )
    print("\n".join(lines))
