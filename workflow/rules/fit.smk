"""The shift between every psf image and every science integration."""


rule fit_shifts:
    input:
        science=CLEAN,
        psfs=clean_psfs_of,
        psfmask=PSFMASK,
        masks=masks_of,
    output:
        SHIFTS,
    log:
        f"{LOGS}/fit_shifts/{{exposure}}.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory_of("fit_shifts"),
        runtime=minutes_of("fit_shifts"),
    params:
        job=fit_shifts_job,
    message:
        "{wildcards.exposure}: fitting shifts"
    script:
        "../scripts/fit_shifts.py"
