"""Find out what a file is, by its name and its header."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ...errors import PsfalignError
from ...files.selectors import SELECTORS, check_selectors
from ..exposures import EXPOSURE, root_of
from ..facts import FactsStore
from ..manifest import Facts
from ..roles import Role, RoleHeader, check_usable, fiducial_of, role_of
from .remarks import Remarks

PSFSTACK = re.compile(r"_psfstack\.(fits?|fts)$", re.IGNORECASE)
SUFFIX = re.compile(r"_([a-z0-9]+)\.(fits?|fts)$", re.IGNORECASE)
DETECTOR = re.compile(r"_(nrc[ab](?:[1-5]|long)|mirimage)(?=[_.])", re.IGNORECASE)
# In this order: that of a title, then what must agree, too.
MARKS = (*SELECTORS, "DETECTOR", "fiducial", "size", "BUNIT")
TITLE = MARKS[:6]

_CALIBRATE = "is not calibrated; fetch the _calints file, or make it with calwebb_image2"
_RESULT = "is a result, no input"
# Files of the pipeline and of this program that are no input, by the end of their names.
OTHERS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("uncal", "rate", "rateints", "ramp", "dark"), _CALIBRATE),
        "cal": "is a mean of the integrations; fetch the _calints file, or make it of _rateints",
        "crf": "is a mean of the integrations; fetch the _calints file, or make it of _rateints",
        **dict.fromkeys(("psfalign", "psfsub", "clean", "northup", "contrast"), _RESULT),
        **dict.fromkeys(("i2d", "s2d", "x1d", "x1dints", "segm"), _RESULT),
    }
)


@dataclass(frozen=True)
class Sighting:
    """
    A readable file of exposures.

    Attributes
    ----------
    path
        The file.
    header
        Keywords that determine its role, see `psfalign.campaign.roles`.
    marks
        The `MARKS` that it has; a missing mark agrees with any value.
    refusal
        The reason why it is neither science nor psf, if there is one.
    role
        The role according to IS_PSF; None if it is missing.
    step
        The folder of the processing step that contains it; empty if there is none.
    """

    path: Path
    header: RoleHeader
    marks: Mapping[str, str]
    refusal: PsfalignError | None
    role: Role | None
    step: str = ""

    @property
    def name(self) -> str:
        """The name of the file, by which copies and other versions of it are known."""
        return self.path.name.lower()

    @property
    def root(self) -> str:
        """The name of the exposure, which calints and crfints share."""
        return root_of(self.path).lower()

    @property
    def is_stack(self) -> bool:
        """Whether it is a psfstack."""
        return bool(PSFSTACK.search(self.path.name))

    @property
    def title(self) -> str:
        """What the exposures of a group have in common, for people."""
        return " ".join(self.marks[mark] for mark in TITLE if self.marks.get(mark))

    @property
    def program(self) -> str:
        """The number of its program."""
        named = re.match(r"jw(\d{5})", self.name)
        return named[1] if named else self.header.get("PROGRAM", "").zfill(5)


def is_exposure(path: Path) -> bool:
    """Return whether a file has the name of calibrated exposures, or of a stack of them."""
    return bool(EXPOSURE.search(path.name) or PSFSTACK.search(path.name))


def why_no_input(path: Path) -> str | None:
    """Return why a file with such a name is not an input; None if it may be one."""
    suffix = SUFFIX.search(path.name)
    return OTHERS.get(suffix[1].lower()) if suffix else None


def look_at(path: Path, facts: FactsStore, remarks: Remarks) -> Sighting | None:
    """Look at an exposure; leave it out if it cannot be used at all."""
    try:
        known = facts.exposure(path)
    except PsfalignError as error:
        remarks.leave_out(path, error)
        return None
    header, marks = known["header"], _marks_of(path, known)
    role, refusal = None, None
    try:
        check_usable({**header, **marks})
        role = role_of(header)
        if role == "science":
            check_selectors(marks, path)
    except PsfalignError as error:
        refusal = error
    if "psfalign" in header.get("STACKVER", "").lower():
        refusal = PsfalignError("was made by psfalign; its psf exposures are the input")
    return Sighting(path, header, marks, refusal, role)


def _marks_of(path: Path, known: Facts) -> dict[str, str]:
    marks: dict[str, str] = dict(known["marks"])
    named = DETECTOR.search(path.name)
    if named:
        marks.setdefault("DETECTOR", named[1].upper())
    rows, columns = known["shape"]
    marks |= {"size": f"{columns}×{rows}", "fiducial": fiducial_of({**known["header"], **marks})}
    return {mark: value for mark, value in marks.items() if value}
