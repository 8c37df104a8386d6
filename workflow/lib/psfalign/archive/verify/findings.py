"""Define all findings of `verify`, for the code, the tests and docs/archive.md."""

from enum import Enum
from pathlib import Path
from typing import Any

from ...errors import MAKE_AGAIN, InputError
from ..rocrate import METADATA


class Finding(Enum):
    """
    A finding about results; a test damages a result for each.

    Attributes
    ----------
    looked_at
        What is compared, for the documentation.
    text
        The message, with placeholders for values.
    """

    NO_CHECKSUM = "CHECKSUM and DATASUM of every HDU", "has no {card}"
    EXTENSIONS = "the extensions of a product", "there are {count} such extensions, expected one"
    AXES = "axes against DATAMODL", "has {count} axes, which does not fit DATAMODL={model}"
    TYPE = "size and type of SCI, ERR and DQ", "its size or type is not that of a product"
    COUNT = (
        "NPAIRS and NFAILED against the rows of SHIFTS",
        "{card}={told} but the table has {count}",
    )
    ROWS = "order of the rows of SHIFTS", "column {name} is not that of {count} planes"
    NOT_FINITE = (
        "planes whose fit is ok: numbers only",
        "plane {plane} has pixels that are not finite, its fit is ok",
    )
    FAILED_VALUES = (
        "planes of failed fits: NaN in SCI and ERR",
        "plane {plane} has values although its fit failed",
    )
    FAILED_FLAGS = (
        "planes of failed fits: DO_NOT_USE in DQ",
        "plane {plane} may be used although its fit failed",
    )
    NOT_FLAGGED = (
        "psf images that were not aligned: DO_NOT_USE where SCI is no number",
        "plane {plane} has pixels that are not finite and not flagged",
    )
    WEIGHT = "WEIGHT, and PSFMASK: 0 or more", "has pixels that are negative or not finite"
    NO_RECORD = "PROVENANCE has rows", "holds no record"
    CARD = (
        "SCISHA, PSFSHA and MASKSHA against PROVENANCE",
        "does not hold the {keyword} of the header",
    )
    CODE_CARD = (
        "CODESHA against the code of all steps in PROVENANCE",
        "the code of its steps does not add up to the CODESHA of the header",
    )
    INPUT = (
        "inputs, in all places where there is one of the name",
        "{found} is not the file that it was made from ({step})",
    )
    SETTING = "settings against the configuration", "was made with {told} ({step})"
    DIGEST = "SHA-256 against the RO-Crate", f"is not the file that {METADATA} lists"
    GONE = "files of the RO-Crate", f"{METADATA} lists it, but it is not there"
    MISSING = "exposures of the configuration", "there is no product"
    SHIFTS = "every column of the table of shifts", "column {name} is not that of the product"
    MASK = "the checksum of the mask in psfmask.json", "names another mask than the product"
    CONVENTION = (
        "how psfmask.json reads the mask, against MASKCONV",
        "reads the mask as {told}, the product as {expected}",
    )
    CLEAN = (
        "records of the cleaned exposure",
        "is not the cleaned exposure that the product was fitted to",
    )
    SUBTRACTED = "records of the subtracted exposure", "was made of another product"
    NO_PROVENANCE = "every other FITS file has PROVENANCE", "has no table PROVENANCE"

    def __init__(self, looked_at: str, text: str) -> None:
        self.looked_at = looked_at
        self.text = text


class Remark(Enum):
    """A remark about results that are not wrong; attributes as those of `Finding`."""

    NOT_AT_HAND = "inputs that are gone", "not at hand: {names}"
    OTHER_CODE = (
        "the code of each step against this checkout",
        "made by other code than this: {steps}",
    )
    NO_PRODUCT = "a FITS file that is no product", "intact, but no product"
    UNFINISHED = "what killed runs left", "left over: the unfinished file of a killed run"
    NO_EXPOSURE = "folders of exposures", "left over: no exposure of the configuration"
    NOT_SHARED = (
        "psf stacks, and pictures of associations",
        "left over: no {noun} of the configuration",
    )

    def __init__(self, looked_at: str, text: str) -> None:
        self.looked_at = looked_at
        self.text = text

    def say(self, **values: object) -> str:
        """Return the remark about some values."""
        return self.text.format(**values)


def wrong(
    finding: Finding,
    path: Path,
    extension: str = "",
    *,
    keyword: str | None = None,
    value: Any = None,
    remedy: str = MAKE_AGAIN,
    **values: object,
) -> InputError:
    """
    Return the error for a finding.

    Parameters
    ----------
    finding
        The finding.
    path, extension
        The file and its extension.
    keyword, value
        Keyword and value of the error; they are values of the message, too.
    remedy
        The remedy.
    values
        Values for the placeholders of the message.
    """
    text = finding.text.format(**{"keyword": keyword, "value": value, **values})
    file = f"{path}[{extension}]" if extension else str(path)
    return InputError(text, file=file, keyword=keyword, value=value, remedy=remedy)
