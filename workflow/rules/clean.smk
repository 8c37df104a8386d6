"""Bad pixels replaced by the median of their neighbours."""


rule clean_science:
    input:
        science_input,
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
        job=uncounted(clean_science_job),
    message:
        "{wildcards.exposure}: replacing bad pixels"
    script:
        "../scripts/clean.py"


rule clean_psfs:
    input:
        psfs_input,
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
        job=uncounted(clean_psfs_job),
    message:
        "{wildcards.stack}: replacing bad pixels"
    script:
        "../scripts/clean.py"
