"""
Many small exposures on a cluster: each job of this workflow runs the other one on some of them.

`psfalign run` starts it where the engine's executor is one of a cluster. There, each step of an
exposure would start the engine and Python again, which takes longer than the step.
"""

BATCHES = config["batches"]
PLACE = config["place"]


def field(name):
    """Return the function that tells the engine something about a batch."""

    def value(wildcards):
        return BATCHES[wildcards.batch][name]

    return value


def growing(name):
    """Return the function for a resource of which a batch gets more when it is tried again."""

    def value(wildcards, attempt):
        return attempt * BATCHES[wildcards.batch][name]

    return value


def done_before(wildcards):
    """Return the marks of the batches that come before another."""
    return expand(f"{PLACE}/{{batch}}.done", batch=BATCHES[wildcards.batch]["after"])


rule all:
    input:
        expand(f"{PLACE}/{{batch}}.done", batch=BATCHES),


# An exposure that fails is no failure of its batch: others go on, and the engine of `psfalign run`
# tries it again in the end. xargs says 123 where the engine said that something failed.
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
