"""The product: psf images aligned to the science integrations."""


rule align_psfs:
    input:
        psfs=clean_psfs_of,
        shifts=file_of("fit_shifts"),
        psfmask=file_of("resolve_psfmask"),
        masks=masks_of,
        association=association_of,
    output:
        **files_of("align_psfs"),
    log:
        log_of("align_psfs"),
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
