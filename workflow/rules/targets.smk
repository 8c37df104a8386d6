"""What a run asks for, and what it writes at its end."""

from psfalign.campaign.output_folder import say_elsewhere
from psfalign.campaign.targets import list_asked, list_pages, list_results
from psfalign.files.provenance.code import remember_code


def all_results():
    """Return all files of a finished campaign; those that are there are shown in the report."""
    # The inputs of an outer workflow's target must not change with what is there.
    is_outer = bool(workflow.default_target)
    found = list_results(PLAN) if is_outer else list_asked(PLAN)
    paths = [f"{OUTPUT}/{path}" for path in found]
    # The pages are inputs of the default target and not outputs of the figures' rules, because the
    # engine refuses to write a report where one figure of one failed exposure is missing.
    pages = [] if is_outer else [*map(reported, list_pages(PLAN))]
    shown = set(pages)
    return [*pages, *(path for path in paths if path not in shown)]


def reported(page):
    """Mark a page for the engine's report; its caption is sought from workflow/Snakefile."""
    return report(
        str(Path(OUTPUT) / page.path),
        caption=f"report/{page.caption}.rst",
        category=page.category,
        subcategory=page.subcategory,
        labels=page.labels,
    )


def close():
    """Write the RO-Crate and the page of the campaign, and say how it went."""
    from psfalign.archive.closing import close_campaign

    if PLAN.in_storage:
        logger.info(f"psfalign: {say_elsewhere(OUTPUT)}")
        return
    if not workflow.local_exec:
        # Every product is read for it, which is no work for the machine that submits jobs.
        logger.info("psfalign: not written here: the RO-Crate; let a job run `psfalign crate`")
    lines = close_campaign(
        PLAN.settings,
        PLAN.exposures.values(),
        PLAN.facts if workflow.local_exec else None,
        threads=workflow.cores or 1,
        warn=lambda text: logger.warning(f"psfalign: warning: {text}"),
    )
    print("\n".join(lines))
