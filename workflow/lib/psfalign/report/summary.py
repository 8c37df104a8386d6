"""Summarise the result of an exposure in a few numbers."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files.provenance.records import Records
from ..fit.result import Status
from ..images.arrays import Bools

Columns = dict[str, NDArray[Any]]

MOST_PAIRS = 20  # pairs to look at that a summary lists


@dataclass(frozen=True)
class Summary:
    """
    The result of an exposure.

    Attributes
    ----------
    exposure
        Name of the exposure.
    science, psfs
        Names of the science file, and of the psf exposures or the psfstack.
    shape
        Numbers of integrations, psf images, rows and columns.
    psfmask, reason, convention, decided_by, notes
        The mask, why it was chosen, how it is read, what decided that, and remarks.
    options
        The options of the fit.
    replaced
        Numbers of replaced bad pixels in all planes of the science exposure, and of the psf images.
    pairs
        Number of pairs of integration and psf image.
    failed
        Numbers of failed fits, by status.
    suspicious
        Number of usable pairs whose closure is larger than their uncertainty explains.
    doubtful
        Number of usable pairs that depend on a small part of the image, or explain too little of
        the psf.
    medians
        Medians over the usable pairs: in pixels, of the length of the ``shift``, of its
        ``uncertainty`` hypot(sigma_dx, sigma_dy), and of the ``closure``; without unit, of
        ``misfit`` and ``chi2``. None if no value is known.
    gain, integration
        The factor by which alignment reduces the weighted RMS of science minus one psf image at the
        flux that fits best (the median over the psf images), and in which integration.
    n_look_at
        Number of pairs that failed, are suspicious or doubtful.
    look_at
        The first of these pairs.
    versions
        Versions of the software.
    sizes
        Sizes in bytes of the figures and the table, by file name.
    provenance
        The records of all steps.
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
        """Return the summary as JSON."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n").encode()


def usable_pairs(columns: Columns, integration: int) -> Bools:
    """Return which pairs belong to an integration and have a usable fit."""
    own = columns["integration"] == integration
    return np.asarray(own & (columns["status"] == Status.OK))


def take_medians(columns: Columns) -> dict[str, float | None]:
    """Return medians over the usable pairs, see `Summary.medians`."""
    usable = columns["status"] == Status.OK
    measures = {
        "shift": np.hypot(columns["dx"], columns["dy"]),
        "uncertainty": np.hypot(columns["sigma_dx"], columns["sigma_dy"]),
        **{name: columns[name] for name in ("closure", "misfit", "chi2")},
    }
    return {name: _median(measure[usable]) for name, measure in measures.items()}


def pairs_to_look_at(columns: Columns) -> list[dict[str, Any]]:
    """Return the first pairs that failed, are suspicious or doubtful."""
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
    """Return the status of each pair, with the words suspicious and doubtful."""
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
    """Return a number for JSON, where None stands for NaN."""
    number: float | int = value.item()
    return number if np.isfinite(number) else None
