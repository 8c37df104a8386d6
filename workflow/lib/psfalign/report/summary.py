"""What is worth knowing of an exposure's result, in a few numbers."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files.provenance.records import Records
from ..fit.result import Status
from ..images.arrays import Bools

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
    doubtful
        How many of the others hang on a small part of the image, or explain too little of the psf.
    medians
        Over the usable pairs, in pixels: of the length of the ``shift``, of its ``uncertainty``
        hypot(sigma_dx, sigma_dy), of the ``closure``; None where there is nothing to take it of.
        Without unit, of ``misfit`` and ``chi2``.
    gain, integration
        By which factor alignment divides the weighted RMS of science minus one psf image at its
        best flux, the median over the psf images, and in which integration.
    n_look_at
        How many pairs failed, are suspicious or doubtful.
    look_at
        The first of them.
    versions
        Of the software.
    sizes
        Bytes of the figures and the table beside it, by the names of their files.
    provenance
        The records of all steps that led to them.
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
    doubtful: int
    medians: dict[str, float | None]
    gain: float | None
    integration: int | None
    n_look_at: int
    look_at: list[dict[str, Any]]
    versions: dict[str, str]
    sizes: dict[str, int] = field(default_factory=dict)
    provenance: Records = field(default_factory=list)

    def to_json(self) -> bytes:
        """Write it as JSON."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n").encode()


def usable_pairs(columns: Columns, integration: int) -> Bools:
    """Tell which pairs are of an integration, and their fit may be used."""
    own = columns["integration"] == integration
    return np.asarray(own & (columns["status"] == Status.OK))


def take_medians(columns: Columns) -> dict[str, float | None]:
    """Return the medians of what tells how good the usable pairs are."""
    usable = columns["status"] == Status.OK
    measures = {
        "shift": np.hypot(columns["dx"], columns["dy"]),
        "uncertainty": np.hypot(columns["sigma_dx"], columns["sigma_dy"]),
        **{name: columns[name] for name in ("closure", "misfit", "chi2")},
    }
    return {name: _median(measure[usable]) for name, measure in measures.items()}


def pairs_to_look_at(columns: Columns) -> list[dict[str, Any]]:
    """Name the first pairs that failed, are suspicious or doubtful."""
    rows = np.flatnonzero(deserve_a_look(columns))[:MOST_PAIRS]
    words = status_words(columns)
    names = ("integration", "psf", "dx", "dy", "closure")
    return [
        {name: _plain(columns[name][row]) for name in names}
        | {"why": words[row].removeprefix("ok, ")}
        for row in rows
    ]


def deserve_a_look(columns: Columns) -> Bools:
    """Return which pairs failed, are suspicious or doubtful."""
    failed = columns["status"] != Status.OK
    return np.asarray(failed | columns["suspicious"] | columns["doubtful"])


def status_words(columns: Columns) -> list[str]:
    """Return the status of each pair, and whether it is suspicious or doubtful."""
    words = columns["status"].tolist()
    for doubt in ("suspicious", "doubtful"):
        marked = columns[doubt].tolist()
        words = [
            f"{word}, {doubt}" if mark else str(word)
            for word, mark in zip(words, marked, strict=True)
        ]
    return words


def _median(values: NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else None


def _plain(value: Any) -> float | int | None:
    """Return a number as JSON has it, which has no NaN."""
    number: float | int = value.item()
    return number if np.isfinite(number) else None
