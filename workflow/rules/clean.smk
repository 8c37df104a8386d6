"""Bad pixels replaced by the median of their neighbours."""

CLEANING = {
    "median_box_length": ALIGN["median_box_length"],
    "bad_bits": parse_bad_bits(ALIGN["bad_bits"]),
}


def science_input(wildcards):
    return raw(exposure_of(wildcards).science)


def clean_science_job(wildcards):
    return job("clean.py", CLEANING, exposure_of(wildcards).science)


def psfs_input(wildcards):
    stack = stack_of(wildcards)
    return raw(stack.members[0]) if stack.is_stacked else STACK


def clean_psfs_job(wildcards):
    stack = stack_of(wildcards)
    return job("clean.py", CLEANING, *(stack.members if stack.is_stacked else ()))


rule clean_science:
    input:
        science_input,
    output:
        CLEAN,
    log:
        f"{LOGS}/clean_science/{{exposure}}.log",
    conda:
        "../../environment.yml"
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
    params:
        job=clean_psfs_job,
    message:
        "{wildcards.stack}: replacing bad pixels"
    script:
        "../scripts/clean.py"
