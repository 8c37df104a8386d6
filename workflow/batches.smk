"""
Run many exposures on a cluster: each job of this workflow runs the main workflow on some of them.

`psfalign run` starts it if the executor is that of a cluster. Otherwise, each step of an exposure
would start Snakemake and Python again, which takes longer than a small step.
"""

BATCHES = config["batches"]
PLACE = config["place"]


def field(name):
    """Return the function for a property of a batch."""

    def value(wildcards):
        return BATCHES[wildcards.batch][name]

    return value


def growing(name):
    """Return the function for a resource that is increased when a batch is tried again."""

    def value(wildcards, attempt):
        return attempt * BATCHES[wildcards.batch][name]

    return value


def done_before(wildcards):
    """Return the marker files of the batches that must be finished before a batch."""
    return expand(f"{PLACE}/{{batch}}.done", batch=BATCHES[wildcards.batch]["after"])


rule all:
    input:
        expand(f"{PLACE}/{{batch}}.done", batch=BATCHES),


# If an exposure fails, its batch does not fail: others continue, and `psfalign run` tries it again
# at the end. The exit status of xargs is 123 if Snakemake reported a failure.
rule batch:
    input:
        done_before,
    output:
        touch(f"{PLACE}/{{batch}}.done"),
    log:
        f"{PLACE}/{{batch}}.log",
    threads: workflow.cores
    resources:
        mem_mb=growing("mem_mb"),
        runtime=growing("runtime"),
    params:
        command=config["command"],
        targets=field("targets"),
    message:
        "Batch {wildcards.batch}"
    shell:
        "xargs -d '\\n' -a {params.targets:q} {params.command:q} --cores {threads} "
        "--resources mem_mb={resources.mem_mb} --jobs {threads} > {log:q} 2>&1 || [ $? -eq 123 ]"
