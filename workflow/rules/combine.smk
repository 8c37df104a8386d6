"""All integrations and rolls of a target, north up, and their noise."""


rule combine_rolls:
    input:
        subtracted_of,
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
        job=uncounted(combine_rolls_job),
    message:
        "{wildcards.association}: combining the rolls"
    script:
        "../scripts/combine_rolls.py"
