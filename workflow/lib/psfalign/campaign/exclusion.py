"""The circles without weight that steps get as settings, and their checks."""

from ..errors import ConfigError
from ..files.circles import is_on_sky
from ..images.circles import Circle
from .exposures import ScienceExposure
from .facts import FactsStore
from .options import Json, plain
from .settings import Settings

EXCLUDING = ("fit_shifts", "subtract_psf")  # the steps that take circles


def exclusion_of(settings: Settings, exposure: ScienceExposure) -> Json:
    """
    Return what the steps of `EXCLUDING` are told of circles, by the names of their arguments.

    Those for all exposures precede those of the exposure. Where the star is counts, and is told,
    only for circles on the sky.
    """
    circles = plain((*settings.align_refs.exclude, *exposure.exclude))
    star = {"star": plain(settings.psf_subtraction.star)} if any(map(is_on_sky, circles)) else {}
    return {"exclude": circles, **star}


def check_circles(settings: Settings, exposure: ScienceExposure, facts: FactsStore) -> None:
    """
    Refuse circles that cannot be found on an exposure.

    Raises
    ------
    ConfigError
        If one of its own lies beside the image, or one is on the sky and the headers do not say
        where the star or north is.
    """
    known = facts.exposure(exposure.science)
    for number, place in enumerate(plain(exposure.exclude)):
        if not (is_on_sky(place) or Circle(**place).covers(known["shape"]).any()):
            rows, columns = known["shape"]
            raise ConfigError(
                f"covers no pixel of {exposure.science}, which has {columns} columns, {rows} rows",
                keyword=f"{exposure.origin}.exclude[{number}]",
                remedy="correct its place, or remove it",
            )
    told = exclusion_of(settings, exposure)
    problem = known["north"] or (known["star"] if told.get("star") == "auto" else "")
    if "star" in told and problem:
        problem = f"a circle on the sky has no place: {problem}"
        raise ConfigError(problem, file=exposure.origin, keyword="exclude")
