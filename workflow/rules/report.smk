"""Something to look at."""


rule plot_exposure:
    input:
        science=CLEAN,
        psfs=clean_psfs_of,
        shifts=SHIFTS,
        psfmask=PSFMASK,
        masks=masks_of,
    output:
        report(
            PICTURE,
            caption="../report/exposure.rst",
            category="Exposures",
            labels={"exposure": "{exposure}"},
        ),
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
        "{wildcards.exposure}: drawing the picture of the result"
    script:
        "../scripts/plot_exposure.py"


onsuccess:
    announce()
