"""Files of another release of psfalign, and the error for those that cannot be read."""

import re

from astropy.io.fits import Header

from .. import __version__
from ..errors import InputError
from .fits.structure import text_of

NUMBERS = re.compile(r"\d+")


def is_newer(version: str) -> bool:
    """Return whether a release of psfalign came after this one."""
    return _numbers(version) > _numbers(__version__)


def unread(version: str, error: InputError) -> InputError:
    """Return an error, which names the release if a newer one made the unreadable file."""
    if not is_newer(version):
        return error
    problem = f"was made by psfalign {version}, this is {__version__}: {error.problem}"
    remedy = f"read it with psfalign {version} or later"
    return InputError(
        problem, file=error.file, keyword=error.keyword, value=error.value, remedy=remedy
    )


def release_of(header: Header) -> str:
    """Return the release of psfalign that made a product, as its primary header says."""
    return text_of(header, "ALIGNVER").removeprefix("psfalign ")


def _numbers(version: str) -> list[int]:
    return [int(number) for number in NUMBERS.findall(version)]
