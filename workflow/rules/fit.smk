"""The shift between every psf image and every science integration."""

FITTING = {
    name: ALIGN[name] for name in ("method", "max_shift", "weighting", "align_to", "on_failed_fit")
}


def clean_psfs_of(wildcards):
    return STACK_CLEAN.format(stack=exposure_of(wildcards).stack.name)


def masks_of(wildcards):
    return [raw(mask) for mask in MASKS[wildcards.exposure]]


def fit_shifts_job(wildcards):
    return job("fit_shifts.py", FITTING, *MASKS[wildcards.exposure])


rule fit_shifts:
    input:
        science=CLEAN,
        psfs=clean_psfs_of,
        psfmask=PSFMASK,
        masks=masks_of,
    output:
        SHIFTS,
    log:
        f"{LOGS}/fit_shifts/{{exposure}}.log",
    conda:
        "../../environment.yml"
    threads: 2
    params:
        job=fit_shifts_job,
    message:
        "{wildcards.exposure}: fitting shifts"
    script:
        "../scripts/fit_shifts.py"
