"""The product: psf images aligned to the science integrations."""


rule align_psfs:
    input:
        psfs=made_by("clean_psfs", for_step="align_psfs"),
        shifts=made_by("fit_shifts", for_step="align_psfs"),
        psfmask=made_by("resolve_psfmask", for_step="align_psfs"),
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
        job=uncounted(align_psfs_job),
    message:
        "{wildcards.exposure}: aligning the psf images"
    script:
        "../scripts/align_psfs.py"
