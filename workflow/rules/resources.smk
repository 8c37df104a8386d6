"""The memory and the time that jobs ask for, by the size of what they work on."""

from psfalign.campaign.memory import available_memory
from psfalign.campaign.sizes import Sizes

SIZES = Sizes(PLAN)


def memory_of(step):
    """Return the function that tells the engine how many MB a job needs."""

    def memory(wildcards, attempt, threads):
        name, is_sent = name_of(step, wildcards), not workflow.local_exec
        return SIZES.memory_mb(step, name, threads, attempt, on_cluster=is_sent)

    return memory


def minutes_of(step):
    """Return the function that tells the engine how many minutes a job may take."""

    def minutes(wildcards, attempt):
        return SIZES.minutes(step, name_of(step, wildcards), attempt)

    return minutes


def refuse_without_memory():
    """End before the first job where one of them needs more than this machine has."""
    if workflow.local_exec and IS_MAIN:  # elsewhere, the cluster knows
        with said_in_one_line():
            SIZES.refuse_without_memory(available_memory())
