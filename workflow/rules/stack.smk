"""Psf exposures that are not stacked yet."""


rule stack_psfs:
    input:
        stack_members,
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
        job=uncounted(stack_psfs_job),
    message:
        "{wildcards.stack}: stacking {input}"
    script:
        "../scripts/stack_psfs.py"
