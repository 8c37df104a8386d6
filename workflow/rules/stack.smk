"""Stack psf exposures."""


rule stack_psfs:
    input:
        **sources_of("stack_psfs"),
    output:
        **files_of("stack_psfs"),
    log:
        log_of("stack_psfs"),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of("stack_psfs"),
        runtime=minutes_of("stack_psfs"),
    params:
        job=job_of("stack_psfs"),
    message:
        "{wildcards.stack}: stacking the psf exposures"
    script:
        "../scripts/stack_psfs.py"
