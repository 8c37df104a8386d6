"""Write small folders like those of users, with exposures that differ in their headers."""

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from files import SHAPE, write_exposure

from psfalign.campaign.survey.campaign import Survey, survey_folders
from psfalign.campaign.survey.entries import Entry

MIRI = {
    "INSTRUME": "MIRI", "FILTER": "F1140C", "CORONMSK": "4QPM_1140", "SUBARRAY": "MASK1140",
    "DETECTOR": "MIRIMAGE", "EXP_TYPE": "MIR_4QPM",
}  # fmt: skip
BAR = {"CORONMSK": "MASKALWB", "SUBARRAY": "SUB400X256ALWB"}


def put(path: str | Path, psf: bool | None = False, *, shape: Any = SHAPE, **cards: Any) -> Path:
    """Write an exposure whose pixels depend on its path; without IS_PSF if `psf` is None."""
    value = zlib.crc32(str(path).encode()) % 9973
    science = np.full((1, *shape), value, np.float32)
    cards = {"IS_PSF": psf, "TARGPROP": "STAR" if psf else "DISC", **cards}
    return write_exposure(Path(path), science, **cards)


def made(survey: Survey) -> list[tuple[str, list[str]]]:
    """The exposures that are listed: science, and its psfs."""
    return [(str(e.science), list(map(str, e.psfs))) for e in survey.entries]


def left_out(survey: Survey) -> dict[str, str]:
    return {str(path): reason for path, reason in survey.remarks.left_out.items()}


def accounted(survey: Survey, files: Iterable[Path]) -> None:
    """Check that every file is either used or left out."""
    used = {path for entry in survey.entries for path in _files_of(entry)} | set(
        survey.associations
    )
    out = set(survey.remarks.left_out)
    assert not used & out
    masks = {p for r in survey.references for p in (r.iterdir() if r.is_dir() else [r])}
    assert set(files) <= used | out | masks


def _files_of(entry: Entry) -> list[Path]:
    return [entry.science, *entry.psfs, *([entry.association] if entry.association else [])]


__all__ = ["BAR", "MIRI", "accounted", "left_out", "made", "put", "survey_folders"]
