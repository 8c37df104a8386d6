"""The product: psf images aligned to the science integrations."""


rule align_psfs:
    input:
        psfs=clean_psfs_of,
        shifts=SHIFTS,
        psfmask=PSFMASK,
        masks=masks_of,
        association=association_of,
    output:
        PRODUCT,
    log:
        f"{LOGS}/align_psfs/{{exposure}}.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory_of("align_psfs"),
        runtime=minutes_of("align_psfs"),
    params:
        job=align_psfs_job,
    message:
        "{wildcards.exposure}: aligning the psf images"
    script:
        "../scripts/align_psfs.py"
