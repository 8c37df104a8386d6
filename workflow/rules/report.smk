"""Something to look at: figures and a table for each exposure, a page for the campaign."""

from psfalign.campaign_page import closing_lines, write_campaign_page

# More exposures than these in one HTML file, and no browser opens it with pleasure. The page of
# the campaign has all; the figures of all are in the folder of the report.
MOST_REPORTED = 100
FIGURES = {
    "images": ("images.png", "1 images"),
    "shifts": ("shifts.png", "2 shifts"),
    "checks": ("checks.png", "3 pixels, weight, radius"),
    "table": ("table.html", "4 table of shifts"),
}


rule plot_exposure:
    input:
        science=CLEAN,
        psfs=clean_psfs_of,
        shifts=SHIFTS,
        psfmask=PSFMASK,
        masks=masks_of,
    output:
        images=f"{PAGES}_images.png",
        shifts=f"{PAGES}_shifts.png",
        checks=f"{PAGES}_checks.png",
        table=f"{PAGES}_table.html",
        summary=SUMMARY,
    log:
        f"{LOGS}/plot_exposure/{{exposure}}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of("plot_exposure"),
        runtime=minutes_of("plot_exposure"),
    params:
        job=plot_exposure_job,
    message:
        "{wildcards.exposure}: drawing the figures of the result"
    script:
        "../scripts/plot_exposure.py"


def exposures_to_report():
    """Those that fit into the report: if not all, what deserves a look most."""
    states = Path(OUTPUT, "report", "campaign.json")
    if len(EXPOSURES) <= MOST_REPORTED or not states.exists():
        return list(EXPOSURES)[:MOST_REPORTED]
    names = [state["name"] for state in json.loads(states.read_text(encoding="utf-8"))]
    return [name for name in names if name in EXPOSURES][:MOST_REPORTED]


def reported(path, caption, category, subcategory, labels):
    return report(
        path,
        caption=f"workflow/report/{caption}.rst",  # from the Snakefile, where it is used
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
    if IS_MODULE:
        return []
    pages = [(CAMPAIGN_PAGE, "campaign", "Campaign", None, {"page": "Did it work, and how well?"})]
    for exposure in exposures_to_report():
        for figure, (end, label) in FIGURES.items():
            path = f"{PAGES}_{end}".format(exposure=exposure)
            pages.append((path, figure, "Exposures", exposure, {"figure": label}))
    return [reported(*page) for page in pages if Path(page[0]).exists()]


def conclude():
    """Write the page of the campaign, whatever has failed, and say how it went."""
    states = write_campaign_page(Path(OUTPUT), EXPOSURES.values())
    print("\n".join(closing_lines(Path(OUTPUT), states)))


onsuccess:
    conclude()


onerror:
    conclude()
