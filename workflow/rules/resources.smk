"""Define the memory and the time that jobs request, by the size of their exposures."""

from psfalign.campaign.memory import available_memory
from psfalign.campaign.sizes import Sizes

SIZES = Sizes(PLAN)


def memory_of(step):
    """Return the function for the memory of a job in MB."""

    def memory(wildcards, attempt, threads):
        name, is_sent = name_of(step, wildcards), not workflow.local_exec
        return SIZES.memory_mb(step, name, threads, attempt, on_cluster=is_sent)

    return memory


def minutes_of(step):
    """Return the function for the time limit of a job in minutes."""

    def minutes(wildcards, attempt):
        return SIZES.minutes(step, name_of(step, wildcards), attempt)

    return minutes


def refuse_without_memory():
    """End the run before the first job if a job needs more memory than this machine has."""
    if workflow.local_exec and IS_MAIN:  # on a cluster, nodes have other memory
        with said_in_one_line():
            SIZES.refuse_without_memory(available_memory())
