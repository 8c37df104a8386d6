"""Which mask serves an exposure, why, and how it is read."""


rule write_crds_manifest:
    input:
        crds_masks,
    output:
        **files_of("write_crds_manifest"),
    log:
        log_of("write_crds_manifest"),
    localrule: True
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of("write_crds_manifest"),
        runtime=minutes_of("write_crds_manifest"),
    params:
        job=uncounted(crds_manifest_job),
    message:
        "crds_manifest: writing down what CRDS chose"
    script:
        "../scripts/write_crds_manifest.py"


rule resolve_psfmask:
    input:
        unpack(resolve_psfmask_inputs),
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
        job=uncounted(resolve_psfmask_job),
        crds=crds_reason,
    message:
        "{wildcards.exposure}: choosing the mask"
    script:
        "../scripts/resolve_psfmask.py"
