"""What is worth knowing of an exposure's result, in a few numbers."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fit.result import Status

Columns = dict[str, NDArray[Any]]

MOST_PAIRS = 20  # of those that deserve a look, what a summary names


@dataclass(frozen=True)
class Summary:
    """
    An exposure's result.

    Attributes
    ----------
    exposure
        Its name.
    science, psfs
        Names of the science file, and of the psf exposures or the psfstack.
    shape
        Integrations, psf images, rows, columns.
    psfmask, reason, convention, decided_by, notes
        Which mask, why, how it is read, who decided that, and what deserves a look.
    options
        How the shifts were fitted.
    replaced
        Bad pixels replaced in all planes of the science exposure, and of the psf images.
    pairs
        How many pairs of integration and psf image there are.
    failed
        How many fits may not be used, by status.
    suspicious
        How many of the others have a larger closure than their uncertainty explains.
    medians
        Over the usable pairs, in pixels: of the length of the ``shift``, of its ``uncertainty``
        hypot(sigma_dx, sigma_dy), of the ``closure``; None where there is nothing to take it of.
    gain, integration
        By which factor alignment divides the weighted RMS of science minus mean psf, and in
        which integration.
    look_at
        The first of the pairs that failed or are suspicious.
    versions
        Of the software.
    """

    exposure: str
    science: str
    psfs: list[str]
    shape: list[int]
    psfmask: str
    reason: str
    convention: str
    decided_by: str
    notes: list[str]
    options: dict[str, Any]
    replaced: list[int]
    pairs: int
    failed: dict[str, int]
    suspicious: int
    medians: dict[str, float | None]
    gain: float | None
    integration: int | None
    look_at: list[dict[str, Any]]
    versions: dict[str, str]

    def to_json(self) -> bytes:
        """Write it as JSON."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n").encode()


def take_medians(columns: Columns) -> dict[str, float | None]:
    """Return the medians of shift, uncertainty and closure over the usable pairs."""
    usable = columns["status"] == Status.OK
    lengths = {
        "shift": np.hypot(columns["dx"], columns["dy"]),
        "uncertainty": np.hypot(columns["sigma_dx"], columns["sigma_dy"]),
        "closure": columns["closure"],
    }
    return {name: _median(length[usable]) for name, length in lengths.items()}


def pairs_to_look_at(columns: Columns) -> list[dict[str, Any]]:
    """Name the first pairs that failed or are suspicious."""
    suspicious = columns["suspicious"]
    rows = np.flatnonzero((columns["status"] != Status.OK) | suspicious)[:MOST_PAIRS]
    names = ("integration", "psf", "dx", "dy", "closure")
    return [
        {name: _plain(columns[name][row]) for name in names}
        | {"why": "suspicious" if suspicious[row] else str(columns["status"][row])}
        for row in rows
    ]


def _median(values: NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else None


def _plain(value: Any) -> float | int | None:
    """Return a number as JSON has it, which has no NaN."""
    number: float | int = value.item()
    return number if np.isfinite(number) else None
