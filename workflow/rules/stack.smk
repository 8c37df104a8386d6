"""Psf exposures that are not stacked yet."""


def stack_members(wildcards):
    return [raw(member) for member in stack_of(wildcards).members]


def stack_psfs_job(wildcards):
    return job("stack_psfs.py", {}, *stack_of(wildcards).members)


rule stack_psfs:
    input:
        stack_members,
    output:
        STACK,
    log:
        f"{LOGS}/stack_psfs/{{stack}}.log",
    conda:
        "../../environment.yml"
    params:
        job=stack_psfs_job,
    message:
        "{wildcards.stack}: stacking {input}"
    script:
        "../scripts/stack_psfs.py"
