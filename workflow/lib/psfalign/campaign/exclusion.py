"""Check the circles without weight, and convert them to settings of steps."""

from collections.abc import Collection

import numpy as np

from ..errors import ConfigError
from ..files.circles import Place, circle_on, is_on_sky, say_beside
from ..files.sky import Sky, Star
from ..images.circles import Circle
from .exposures import ScienceExposure
from .facts import FactsStore
from .manifest import Facts
from .options import Json, plain
from .settings import Settings

CORRECT = "correct its place, or remove it"
EXCLUDING = ("fit_shifts", "subtract_psf")  # the steps that take circles


def exclusion_of(settings: Settings, exposure: ScienceExposure) -> Json:
    """
    Return the circles as arguments of the steps of `EXCLUDING`.

    Circles for all exposures precede those of the exposure. The position of the star is included
    only for circles on the sky.
    """
    circles = plain((*settings.align_refs.exclude, *exposure.exclude))
    star = {"star": plain(settings.psf_subtraction.star)} if any(map(is_on_sky, circles)) else {}
    return {"exclude": circles, **star}


def check_circles(settings: Settings, exposure: ScienceExposure, facts: FactsStore) -> None:
    """
    Raise `ConfigError` if the circles of an exposure are not on its image.

    Raises
    ------
    ConfigError
        If one of its own circles is outside the image, or if a circle is on the sky and the headers
        lack the position of the star or north.
    """
    known = facts.exposure(exposure.science)
    told = exclusion_of(settings, exposure)
    problem = known["north"] or (known["star"] if told.get("star") == "auto" else "")
    if "star" in told and problem:
        problem = f"a circle on the sky has no place: {problem}"
        raise ConfigError(problem, file=exposure.origin, keyword="exclude")
    star = settings.psf_subtraction.star
    for number, place in enumerate(plain(exposure.exclude)):
        if not _covers(place, known, star):
            raise ConfigError(
                say_beside(exposure.science, known["shape"]),
                keyword=f"{exposure.origin}.exclude[{number}]",
                remedy=CORRECT,
            )


def check_common_circles(
    settings: Settings, exposures: Collection[ScienceExposure], facts: FactsStore
) -> None:
    """
    Raise `ConfigError` for a circle that is outside the images of all exposures.

    Raises
    ------
    ConfigError
        With the first such circle.
    """
    star = settings.psf_subtraction.star
    known = [facts.exposure(exposure.science) for exposure in exposures]
    for number, place in enumerate(plain(settings.align_refs.exclude)):
        if known and not any(_covers(place, one, star) for one in known):
            problem, keyword = "covers no pixel of any exposure", f"align_refs.exclude[{number}]"
            raise ConfigError(problem, keyword=keyword, value=dict(place), remedy=CORRECT)


def _covers(place: Place, known: Facts, star: Star) -> bool:
    """Return whether a circle is known to cover a pixel of an exposure."""
    circle = Circle(**place) if not is_on_sky(place) else _find(place, known, star)
    return circle is None or bool(circle.covers(known["shape"]).any())


def _find(place: Place, known: Facts, star: Star) -> Circle | None:
    """Return a circle on the sky in pixels; None if star or north are not known."""
    column_row = known["place"] if star == "auto" else star
    if column_row is None or known["matrix"] is None:
        return None
    column, row = column_row
    return circle_on(Sky(column, row, np.array(known["matrix"])), **place)
