"""Something to look at: figures and a table for each exposure, a page for the campaign."""


rule plot_exposure:
    input:
        science=CLEAN,
        psfs=clean_psfs_of,
        shifts=SHIFTS,
        psfmask=PSFMASK,
        masks=masks_of,
        # Not looked at: where the summary is, the product was made, and nothing needs CLEAN again.
        product=ancient(PRODUCT),
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


onstart:
    collect_as_usual()
    refuse_without_memory()


onsuccess:
    describe()
    conclude()


onerror:
    describe()
    conclude()
