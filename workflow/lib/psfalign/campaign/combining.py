"""Find the exposures to combine and other rolls, and check the position of the star."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..files.sky import LEAST_TURN, SET_STAR, beside_image, turn_between
from .exposures import ScienceExposure
from .facts import FactsStore
from .settings import SubtractionOptions


def choose_combined(
    groups: Mapping[str, Sequence[ScienceExposure]],
    star: object,
    facts: FactsStore,
) -> tuple[list[str], list[str]]:
    """
    Return the groups that can be combined, and the reasons why others cannot.

    Parameters
    ----------
    groups
        The exposures that belong together, by the name of the combined image: the members of an
        association, or those with the same psf images and the same association candidate.
    star
        Position of the star, see `psfalign.files.sky.Sky.of`.
    facts
        The facts about the files.
    """
    chosen: list[str] = []
    warnings: list[str] = []
    for name, members in groups.items():
        files = [member.science for member in members]
        known = {str(file): facts.exposure(file) for file in files}
        problem = _find_problem(known, star)
        if problem:
            warnings.append(f"{name}: its exposures are not combined: {problem}")
        else:
            chosen.append(name)
    return chosen, warnings


def find_other_rolls(
    exposure: ScienceExposure,
    members: Sequence[ScienceExposure],
    star: object,
    facts: FactsStore,
) -> list[ScienceExposure]:
    """
    Return the exposures that show the target of another at other rolls.

    If the exposures cannot be combined, there are none.

    Parameters
    ----------
    exposure
        The exposure that they are other rolls of.
    members
        The exposures that belong together, including itself.
    star, facts
        See `choose_combined`.
    """

    def roll_of(member: ScienceExposure) -> float:
        return float(facts.exposure(member.science)["roll"])

    if not choose_combined({"": members}, star, facts)[0]:
        return []
    own = roll_of(exposure)
    return [one for one in members if turn_between(roll_of(one), own) >= LEAST_TURN]


def check_star(subtraction: SubtractionOptions, science: Path, shape: Sequence[int]) -> None:
    """
    Refuse a place of the star that is not on an image (rows, columns).

    Raises
    ------
    ConfigError
        If the configuration says it for all exposures, and the star is to be subtracted.
    """
    if subtraction.star == "auto" or subtraction.method == "none":
        return
    column, row = subtraction.star
    problem = beside_image(column, row, shape)
    if problem:
        keyword, value = "psf_subtraction.star", f"[{column:g}, {row:g}]"
        raise ConfigError(problem, file=science, keyword=keyword, value=value, remedy=SET_STAR)


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
