"""Which mask serves an exposure, why, and how it is read."""


rule resolve_psfmask:
    input:
        unpack(resolve_psfmask_inputs),
    output:
        PSFMASK,
    log:
        f"{LOGS}/resolve_psfmask/{{exposure}}.log",
    conda:
        "../../environment.yml"
    params:
        job=resolve_psfmask_job,
    message:
        "{wildcards.exposure}: choosing the mask"
    script:
        "../scripts/resolve_psfmask.py"
