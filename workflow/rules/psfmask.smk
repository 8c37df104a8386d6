"""Which mask serves an exposure, why, and how it is read."""


def resolve_psfmask_inputs(wildcards):
    exposure = exposure_of(wildcards)
    return {
        "science": raw(exposure.science),
        "masks": [raw(mask) for mask in MASKS[exposure.name]],
    }


def resolve_psfmask_job(wildcards):
    exposure = exposure_of(wildcards)
    settings = {"psfmask": exposure.psfmask, "convention": SETTINGS["psfmask"]["convention"]}
    return job("resolve_psfmask.py", settings, exposure.science, *MASKS[exposure.name])


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
