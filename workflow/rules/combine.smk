"""Combine all integrations and rolls of a target, north up, and measure the noise."""


rule combine_rolls:
    input:
        made_by("subtract_psf", for_step="combine_rolls"),
    output:
        **files_of("combine_rolls"),
    log:
        log_of("combine_rolls"),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of("combine_rolls"),
        runtime=minutes_of("combine_rolls"),
    params:
        job=job_of("combine_rolls"),
    message:
        "{wildcards.association}: combining the rolls"
    script:
        "../scripts/combine_rolls.py"
