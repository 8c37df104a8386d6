"""Choose the mask of an exposure, and decide how to read it."""


rule resolve_psfmask:
    input:
        **sources_of("resolve_psfmask"),
    output:
        **files_of("resolve_psfmask"),
    log:
        log_of("resolve_psfmask"),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of("resolve_psfmask"),
        runtime=minutes_of("resolve_psfmask"),
    params:
        job=job_of("resolve_psfmask"),
        crds=crds_reason,
    message:
        "{wildcards.exposure}: choosing the mask"
    script:
        "../scripts/resolve_psfmask.py"
