"""Which mask serves an exposure, why, and how it is read."""


rule write_crds_manifest:
    input:
        crds_masks,
    output:
        CRDS_MANIFEST,
    log:
        f"{LOGS}/write_crds_manifest.log",
    localrule: True
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of("write_crds_manifest"),
        runtime=minutes_of("write_crds_manifest"),
    params:
        job=crds_manifest_job,
    message:
        "crds_manifest: writing down what CRDS chose"
    script:
        "../scripts/write_crds_manifest.py"


rule resolve_psfmask:
    input:
        unpack(resolve_psfmask_inputs),
    output:
        PSFMASK,
    log:
        f"{LOGS}/resolve_psfmask/{{exposure}}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of("resolve_psfmask"),
        runtime=minutes_of("resolve_psfmask"),
    params:
        job=resolve_psfmask_job,
        crds=crds_reason,
    message:
        "{wildcards.exposure}: choosing the mask"
    script:
        "../scripts/resolve_psfmask.py"
