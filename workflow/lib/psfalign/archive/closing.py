"""Write the RO-Crate and the page of a campaign at the end of a run."""

from collections.abc import Callable, Collection
from pathlib import Path

from ..campaign.exposures import ScienceExposure
from ..campaign.facts import FactsStore
from ..campaign.layout import outputs, result
from ..campaign.settings import Settings
from ..campaign.words import some_of
from ..errors import PsfalignError
from ..report.campaign import closing_lines, write_campaign_page
from ..report.states import survey_states
from ..steps.registry import STEPS
from .write_rocrate import write_crate

MOST_NAMES = 3  # of files that a warning names


def close_campaign(
    settings: Settings,
    exposures: Collection[ScienceExposure],
    facts: FactsStore | None,
    *,
    threads: int,
    warn: Callable[[str], None],
) -> list[str]:
    """
    Write the RO-Crate and the page of the present results, also after failures.

    Errors while they are written do not fail the run.

    Parameters
    ----------
    settings, exposures
        The configuration and its exposures.
    facts
        The store of checksums; without it, no RO-Crate is written, which needs to read all results.
    threads
        How many files are read at the same time.
    warn
        Function that receives warnings about files that could not be written.

    Returns
    -------
    list of str
        The lines of the summary of the campaign.
    """
    output = settings.output_dir
    if facts is not None:
        try:
            write_crate(settings, exposures, facts, threads=threads)
        except (PsfalignError, OSError) as error:
            warn(f"the RO-Crate was not written: {error}")
    found = _list_leftovers(settings, exposures)
    if found:
        warn(f"{some_of(found, MOST_NAMES)}: of an earlier configuration; remove what is outdated")
    has_pictures = settings.has_step("plot_association")
    states = survey_states(output, exposures, has_pictures=has_pictures)
    try:
        write_campaign_page(output, states)
    except OSError as error:
        warn(f"the campaign page was not written: {error}")
    return closing_lines(output, states)


def _list_leftovers(settings: Settings, exposures: Collection[ScienceExposure]) -> list[Path]:
    """Return results of steps that are no longer run, which no run renews."""
    steps = [step for step in STEPS.values() if not settings.has_step(step.name)]
    paths = {
        result(settings.output_dir, step.name, exposure.name_in(step.scope), part)
        for exposure in exposures
        for step, part, _ in outputs(steps)
    }
    return sorted(path for path in paths if path.exists())
