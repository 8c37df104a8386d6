"""Find the role of an exposure from its header: science, psf, or neither."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, TypeAlias

from astropy.io.fits import Header

from ..errors import InputError, PsfalignError
from ..files.exposure import Exposure
from ..files.fits.structure import text_of

Role: TypeAlias = Literal["science", "psf"]
RoleHeader: TypeAlias = Mapping[str, str]  # the `KEYWORDS` that a file has, in capitals

KEYWORDS = (
    "APERNAME", "BKGDTARG", "CORONMSK", "DETECTOR", "EXP_TYPE", "EXSEGTOT", "GS_V3_PA", "INSTRUME",
    "IS_IMPRT", "IS_PSF", "NUMDTHPT", "PPS_APER", "PROGRAM", "STACKVER", "TARGNAME",
    "TARGPROP",
)  # fmt: skip
CORONAGRAPHIC = ("NRC_CORON", "MIR_4QPM", "MIR_LYOT")
ACQUISITIONS = ("_TACQ", "_TACONFIRM")  # ends of EXP_TYPE
# The detectors of NIRCam's module A that lie behind an occulter, by the last letter of CORONMSK:
# round ones (MASKA335R) and bars (MASKALWB). Behind the others of a full frame there is no star.
BEHIND: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"R": ("NRCA2", "NRCALONG", "NRCA5"), "B": ("NRCA4", "NRCALONG", "NRCA5")}
)
WORDS = MappingProxyType({"T": True, "TRUE": True, "F": False, "FALSE": False})
BY_HAND = "list it under `exposures` in the configuration"


def read_role_header(exposure: Exposure) -> dict[str, str]:
    """Return the `KEYWORDS` that an exposure has, and ROLL_REF of its SCI extension."""
    found = {keyword: _text_of(exposure.primary, keyword) for keyword in KEYWORDS}
    found["ROLL_REF"] = text_of(exposure.science.header, "ROLL_REF")
    return {keyword: value for keyword, value in found.items() if value}


def _text_of(header: Header, keyword: str) -> str:
    value = header.get(keyword)
    return "FT"[value] if isinstance(value, bool) else text_of(header, keyword).upper()


def role_of(header: RoleHeader) -> Role | None:
    """
    Return the role according to IS_PSF; None if it is missing.

    Raises
    ------
    InputError
        Without a file, if it is neither T nor F.
    """
    if "IS_PSF" not in header:
        return None
    is_psf = WORDS.get(header["IS_PSF"])
    if is_psf is None:
        raise _refusal(header, "IS_PSF", "is not T or F", f"correct it, or {BY_HAND}")
    return "psf" if is_psf else "science"


def check_usable(header: RoleHeader) -> None:
    """
    Refuse an exposure that is neither science nor psf, whatever IS_PSF says.

    As in jwst, the type of exposure is decisive: a background of a reference star has IS_PSF and
    BKGDTARG, and is a background.

    Raises
    ------
    InputError
        Without a file, with the keyword that tells.
    """
    kind = header.get("EXP_TYPE", "")
    if kind.endswith(ACQUISITIONS):
        raise _refusal(header, "EXP_TYPE", "is a target acquisition", "it is not needed")
    if kind and kind not in CORONAGRAPHIC:
        problem = f"is not a coronagraphic exposure; those are {', '.join(CORONAGRAPHIC)}"
        raise _refusal(header, "EXP_TYPE", problem, BY_HAND)
    if WORDS.get(header.get("IS_IMPRT", "")):
        raise _refusal(header, "IS_IMPRT", "is an imprint exposure", "it is not needed")
    if WORDS.get(header.get("BKGDTARG", "")):
        remedy = "subtract it before, in calwebb_image2 or by hand"
        raise _refusal(header, "BKGDTARG", "is a background exposure", remedy)
    keyword = "TARGPROP" if "TARGPROP" in header else "TARGNAME"
    if is_named_background(header.get(keyword, "")):
        problem, remedy = "is named like a background", f"if it is none, {BY_HAND}"
        raise _refusal(header, keyword, problem, remedy)
    if not holds_star(header):
        problem = f"this detector is not behind {header['CORONMSK']}, it has no occulted star"
        raise _refusal(header, "DETECTOR", problem, f"if it has, {BY_HAND}")


def is_named_background(target: str) -> bool:
    """Return whether a target's name has BACK, BKG, or ends a word with BG."""
    words = "".join(c if c.isalnum() else " " for c in target.upper()).split()
    return any("BACK" in word or "BKG" in word or word.endswith("BG") for word in words)


def holds_star(header: RoleHeader) -> bool:
    """Return whether a detector of NIRCam may lie behind the occulter; True where unknown."""
    detector, occulter = header.get("DETECTOR", ""), header.get("CORONMSK", "")
    behind = BEHIND.get(occulter[-1:])
    if behind is None or header.get("INSTRUME") != "NIRCAM" or not detector.startswith("NRCA"):
        return True
    return detector in behind


def fiducial_of(header: RoleHeader) -> str:
    """
    Return the fiducial point behind a bar; empty for other occulters.

    The position of the star along a bar depends on it, by up to 9 arcsec (143 pixels).
    """
    if not header.get("CORONMSK", "").endswith("B"):
        return ""
    return header.get("PPS_APER") or header.get("APERNAME", "")


def target_of(header: RoleHeader) -> str:
    """Return the name of the target as the program proposes it, or as it is known."""
    return header.get("TARGPROP") or header.get("TARGNAME", "")


def guess_roles(headers: Sequence[RoleHeader]) -> dict[str, Role]:
    """
    Return the role for each value of NUMDTHPT, for exposures without IS_PSF.

    The rule is that of spaceKLIP: if there are two values of which one is 1, that is science, and
    the other is the dithered reference star. Otherwise no role is known.
    """
    values = {header.get("NUMDTHPT", "") for header in headers}
    if len(values) != len(("science", "psf")) or "1" not in values or "" in values:
        return {}
    guess: dict[str, Role] = {
        value: "science" if value == "1" else "psf" for value in sorted(values)
    }
    known = [(role_of(h), guess[h["NUMDTHPT"]]) for h in headers if "IS_PSF" in h]
    return guess if all(role == guessed for role, guessed in known) else {}


def _refusal(header: RoleHeader, keyword: str, problem: str, remedy: str) -> PsfalignError:
    return InputError(problem, keyword=keyword, value=header[keyword], remedy=remedy)
