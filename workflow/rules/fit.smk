"""Fit the shift between each psf image and each science integration."""


rule fit_shifts:
    input:
        **sources_of("fit_shifts"),
        science=made_by("clean_science", for_step="fit_shifts"),
        psfs=made_by("clean_psfs", for_step="fit_shifts"),
        psfmask=made_by("resolve_psfmask", for_step="fit_shifts"),
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
        job=job_of("fit_shifts"),
    message:
        "{wildcards.exposure}: fitting shifts"
    script:
        "../scripts/fit_shifts.py"
