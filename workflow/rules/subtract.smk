"""Subtract the star from a science exposure by the aligned psf images."""


rule subtract_psf:
    input:
        science=made_by("clean_science", for_step="subtract_psf"),
        product=made_by("align_psfs", for_step="subtract_psf"),
        rolls=made_by("clean_science", for_step="subtract_psf", of_other_rolls=True),
        roll_shifts=made_by("fit_shifts", for_step="subtract_psf", of_other_rolls=True),
    output:
        **files_of("subtract_psf"),
    log:
        log_of("subtract_psf"),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of("subtract_psf"),
        runtime=minutes_of("subtract_psf"),
    params:
        job=job_of("subtract_psf"),
    message:
        "{wildcards.exposure}: subtracting the psf"
    script:
        "../scripts/subtract_psf.py"
