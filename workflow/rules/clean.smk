"""Replace bad pixels by the median of their neighbours."""


rule clean_science:
    input:
        **sources_of("clean_science"),
    output:
        **files_of("clean_science"),
    log:
        log_of("clean_science"),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of("clean_science"),
        runtime=minutes_of("clean_science"),
    params:
        job=job_of("clean_science"),
    message:
        "{wildcards.exposure}: replacing bad pixels"
    script:
        "../scripts/clean.py"


rule clean_psfs:
    input:
        **sources_of("clean_psfs"),
        stacked=made_by("stack_psfs", for_step="clean_psfs"),
    output:
        **files_of("clean_psfs"),
    log:
        log_of("clean_psfs"),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of("clean_psfs"),
        runtime=minutes_of("clean_psfs"),
    params:
        job=job_of("clean_psfs"),
    message:
        "{wildcards.stack}: replacing bad pixels"
    script:
        "../scripts/clean.py"
