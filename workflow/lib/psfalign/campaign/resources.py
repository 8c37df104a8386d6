"""
Compute the memory and time that a step needs, from the size of its exposure.

The memory of a step is that of its process, interpreter and libraries included:

    memory = MARGIN · (base + pixels · (fixed + weights + per_psf · psfs
                                        + per_integration · integrations)),

with coefficients, `psfalign.steps.registry.Cost`, from what the arrays of the step hold (a float64
is 8 bytes a pixel, a spectrum of the half plane as many) and checked against peaks that
``benchmarks/memory.py`` measures: never less than a peak, at most twice as much. Its time is an
estimate in CPU seconds,

    time = start + pixels · (per_plane · planes + per_pair · integrations · psfs),

and the limit that is asked for is `PATIENCE` times that, as machines and file systems differ.
"""

import math
from dataclasses import dataclass

from ..images.arrays import Method, Weighting
from ..steps.registry import STEPS

MARGIN = 1.3  # for other versions of the libraries, and the room that a limit must leave
PATIENCE = 20.0  # times slower than the machine that was measured
LEAST_MINUTES = 3  # of any step, for slow file systems
START = 3.0  # CPU seconds: interpreter and imports
MB = 1e6  # bytes, as Snakemake and Slurm's --mem have them within 5 %
# Two engines stand by while a cluster's job runs: the job's own, and the one in its step. Each
# knows the whole campaign.
ENGINE_MB, ENGINE_MB_PER_EXPOSURE = 330, 0.016


@dataclass(frozen=True)
class Size:
    """
    The size of the files of a job.

    Attributes
    ----------
    integrations
        Planes of the exposure, or of the stack, that the job works on.
    psfs
        Number of psf images; 0 if they are not used.
    pixels
        Pixels of one plane.
    """

    integrations: int
    psfs: int
    pixels: int


# Where each pair has a weight of its own (any weighting but the mask), a fit holds bytes a pixel
# besides, and takes CPU nanoseconds a pixel for each pair; scipy's leastsq takes more.
OWN_WEIGHT, SLOW_FIT, SLOWEST_FIT = 135, 350, 3000


def memory_mb(
    step: str, size: Size, *, weighting: Weighting = "mask", threads: int = 1, attempt: int = 1
) -> int:
    """
    Return the memory to ask for, in MB.

    Parameters
    ----------
    step
        Name of the rule.
    size
        The size of its exposure.
    weighting
        The weighting of the fit, see `psfalign.fit.weighting`.
    threads
        The threads of the step.
    attempt
        1, or the number of the repetition; the memory is multiplied by it.
    """
    cost = STEPS[step].cost
    weights = OWN_WEIGHT if cost.depends_on_fit and weighting != "mask" else 0
    bytes_per_pixel = cost.fixed + weights + cost.per_psf * size.psfs
    bytes_per_pixel += cost.per_integration * size.integrations
    bytes_per_pixel += cost.per_thread * (threads - 1)
    return math.ceil(attempt * MARGIN * (cost.base + size.pixels * bytes_per_pixel / MB))


def peak_bytes(step: str, size: Size, weighting: Weighting = "mask") -> int:
    """Return the memory that a step is expected to need, without the margin of what it asks for."""
    return int(memory_mb(step, size, weighting=weighting) * MB / MARGIN)


def engine_mb(exposures: int) -> int:
    """Return the memory in MB that a job of a cluster needs in addition to its step."""
    return math.ceil(ENGINE_MB + ENGINE_MB_PER_EXPOSURE * exposures)


def minutes(
    step: str,
    size: Size,
    *,
    weighting: Weighting = "mask",
    method: Method = "spectral",
    attempt: int = 1,
) -> int:
    """Return the time limit to ask for, in minutes; parameters as those of `memory_mb`."""
    seconds = START + work_seconds(step, size, weighting=weighting, method=method)
    return attempt * (LEAST_MINUTES + math.ceil(PATIENCE * seconds / 60))


def work_seconds(step: str, size: Size, *, weighting: Weighting, method: Method) -> float:
    """Return the expected CPU time of a step in seconds, without the start of Python."""
    cost = STEPS[step].cost
    per_pair = cost.per_pair
    if cost.depends_on_fit:
        per_pair = SLOW_FIT if weighting != "mask" else per_pair
        per_pair = SLOWEST_FIT if method != "spectral" else per_pair
    planes = size.integrations + size.psfs
    nanoseconds = cost.per_plane * planes + per_pair * size.integrations * size.psfs
    return size.pixels * nanoseconds * 1e-9
