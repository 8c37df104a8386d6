"""Draw figures and tables of exposures, and write the page of the campaign."""


report: "../report/workflow.rst"


rule plot_exposure:
    input:
        **sources_of("plot_exposure"),
        # Not read, but made before, so that a summary means that they exist.
        science=made_by("clean_science", for_step="plot_exposure"),
        psfs=made_by("clean_psfs", for_step="plot_exposure"),
        shifts=made_by("fit_shifts", for_step="plot_exposure"),
        psfmask=made_by("resolve_psfmask", for_step="plot_exposure"),
        product=made_by("align_psfs", for_step="plot_exposure"),
        subtracted=made_by("subtract_psf", for_step="plot_exposure"),
    output:
        **files_of("plot_exposure"),
    log:
        log_of("plot_exposure"),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of("plot_exposure"),
        runtime=minutes_of("plot_exposure"),
    params:
        job=job_of("plot_exposure"),
    message:
        "{wildcards.exposure}: drawing the figures of the result"
    script:
        "../scripts/plot_exposure.py"


rule plot_association:
    input:
        northup=made_by("combine_rolls", for_step="plot_association"),
        contrast=made_by("combine_rolls", for_step="plot_association", part="contrast"),
    output:
        **files_of("plot_association"),
    log:
        log_of("plot_association"),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of("plot_association"),
        runtime=minutes_of("plot_association"),
    params:
        job=job_of("plot_association"),
    message:
        "{wildcards.association}: drawing what is left around the star"
    script:
        "../scripts/plot_association.py"


onstart:
    collect_as_usual()
    remember_code()
    refuse_without_memory()


onsuccess:
    close()


onerror:
    close()
