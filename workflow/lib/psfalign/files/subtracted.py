"""Read science exposures from which the star was subtracted."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..images.arrays import Image
from .exposure import Exposure
from .fits.structure import text_of
from .fits.tables import read_table

STAGES, STAGE_ERRORS, WEIGHT, THROUGHPUT = "STAGES", "STAGEERR", "WEIGHT", "THROUGHPUT"
SCIENCE, MEAN, MODES = "science", "mean", "klip "
RUN_AGAIN = "run subtract_psf again"


def stage_names(modes: list[int]) -> list[str]:
    """Return the names of the stages: nothing, the mean, and numbers of components subtracted."""
    return [SCIENCE, MEAN, *(f"{MODES}{mode}" for mode in modes)]


class Subtracted(Exposure):
    """
    An exposure that subtract_psf wrote, whose planes are read inside a ``with`` block.

    Attributes
    ----------
    stages
        The names of its stages.
    modes
        Its numbers of principal components, in ascending order.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._images = tuple(
            self._needed(name, remedy=RUN_AGAIN) for name in (STAGES, STAGE_ERRORS)
        )
        header, n_stages = self._images[0].header, self._images[0].shape[1]
        self.stages = [text_of(header, f"STAGE{n}") for n in range(n_stages)]
        self.modes = [
            int(name.removeprefix(MODES)) for name in self.stages if name.startswith(MODES)
        ]

    def read_stage(self, stage: str, integration: int) -> tuple[Image, Image]:
        """Return the residual of a stage, and its errors, (rows, columns) float64."""
        index = integration * len(self.stages) + self.stages.index(stage)
        image, error = (self._read_scaled(hdu, index) for hdu in self._images)
        return image, error

    def read_weight(self) -> Image | None:
        """Return the weight of the fit, (rows, columns) float64; None if there is none."""
        weight = self._extension(WEIGHT)
        return None if weight is None else self._read_scaled(weight, 0)

    def stage_like(self, stage: str) -> str:
        """Return a stage of this name, or the one with the most components that are not more."""
        if stage in self.stages:
            return stage
        wanted = int(stage.removeprefix(MODES))
        return f"{MODES}{max([self.modes[0], *(mode for mode in self.modes if mode <= wanted)])}"

    def read_throughput(self, stage: str, separations: NDArray[np.float64]) -> Image:
        """Return the share of a source that a stage keeps at separations in arcsec, or NaN."""
        found = [hdu for hdu in self.hdus if hdu.name == THROUGHPUT]
        if not found:
            return np.full(len(separations), np.nan)
        table = read_table(self.path, found[0])
        own = table["stage"] == self.stages.index(stage)
        if not own.any():
            return np.full(len(separations), np.nan)
        known, kept = table["separation"][own], table["throughput"][own]
        return np.asarray(np.interp(separations, known, kept, right=np.nan))
