"""Bad pixels replaced by the median of their neighbours."""


rule clean_science:
    input:
        science_input,
    output:
        intermediate(CLEAN),
    log:
        f"{LOGS}/clean_science/{{exposure}}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of("clean_science"),
        runtime=minutes_of("clean_science"),
    params:
        job=clean_science_job,
    message:
        "{wildcards.exposure}: replacing bad pixels"
    script:
        "../scripts/clean.py"


rule clean_psfs:
    input:
        psfs_input,
    output:
        STACK_CLEAN,
    log:
        f"{LOGS}/clean_psfs/{{stack}}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of("clean_psfs"),
        runtime=minutes_of("clean_psfs"),
    params:
        job=clean_psfs_job,
    message:
        "{wildcards.stack}: replacing bad pixels"
    script:
        "../scripts/clean.py"
