"""Simulate the demo, exposures with known shifts."""


rule simulate_demo:
    output:
        list(PLAN.facts.made_first),
    log:
        log_of("simulate_demo"),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of("simulate_demo"),
        runtime=minutes_of("simulate_demo"),
    params:
        job=job_of("simulate_demo"),
    message:
        "Simulating the demo exposures"
    script:
        "../scripts/simulate_demo.py"
