"""Work out which exposures are combined in one picture, and which cannot be."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .exposures import ScienceExposure
from .facts import FactsStore


def choose_combined(
    groups: Mapping[str, Sequence[ScienceExposure]],
    star: object,
    facts: FactsStore,
    *,
    simulated: Collection[str] = (),
) -> tuple[list[str], list[str]]:
    """
    Return the pictures that can be made, and why others cannot.

    Parameters
    ----------
    groups
        The exposures that belong together, by the name of their picture: the members of an
        association, or those with the same psf images and the same association candidate.
    star
        Where the star is, see `psfalign.files.sky.Sky.of`.
    facts
        What is known of the files.
    simulated
        Files that the demo makes; their headers tell all.
    """
    chosen: list[str] = []
    warnings: list[str] = []
    for name, members in groups.items():
        files = [member.science for member in members]
        known = {str(f): facts.exposure(f) for f in files if str(f) not in simulated}
        problem = _find_problem(known, star)
        if problem:
            warnings.append(f"{name}: its exposures are not combined: {problem}")
        else:
            chosen.append(name)
    return chosen, warnings


def _find_problem(known: Mapping[str, dict[str, Any]], star: object) -> str:
    for facts in known.values():
        problem = facts["north"] or (facts["star"] if star == "auto" else "")
        if problem:
            return str(problem)
    targets = sorted({facts["target"] for facts in known.values()})
    if len(targets) > 1:
        remedy = "give the exposures of each target an asn_id of their own"
        return f"{', '.join(targets)} are different targets; {remedy}"
    return ""
