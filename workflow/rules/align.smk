"""Write the product: psf images aligned to the science integrations."""


rule align_psfs:
    input:
        **sources_of("align_psfs"),
        psfs=made_by("clean_psfs", for_step="align_psfs"),
        shifts=made_by("fit_shifts", for_step="align_psfs"),
        psfmask=made_by("resolve_psfmask", for_step="align_psfs"),
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
        job=job_of("align_psfs"),
    message:
        "{wildcards.exposure}: aligning the psf images"
    script:
        "../scripts/align_psfs.py"
