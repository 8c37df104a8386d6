"""The shift between every psf image and every science integration."""


rule fit_shifts:
    input:
        science=file_of("clean_science"),
        psfs=clean_psfs_of,
        psfmask=file_of("resolve_psfmask"),
        masks=masks_of,
    output:
        **files_of("fit_shifts"),
    log:
        log_of("fit_shifts"),
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
