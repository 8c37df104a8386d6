"""Read the combined images and the table of noise that combine_rolls wrote."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..images.arrays import Image
from .ecsv import read_rows
from .exposure import Exposure
from .fits.structure import text_of
from .sky import ARCSEC
from .subtracted import MEAN, SCIENCE, STAGES

RUN_AGAIN = "remove it and run combine_rolls again"


class NorthUp(Exposure):
    """
    The combined image of a target, which is read inside a ``with`` block.

    North is up and east left.

    Attributes
    ----------
    modes
        Numbers of principal components, one for each plane of SCI.
    scale
        Side of a pixel in arcsec.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        header = self.science.header
        self.modes = [int(header[f"KLMODE{n}"]) for n in range(len(self))]
        self.scale = abs(float(header["CD1_1"])) * ARCSEC

    def read_before(self, stage: str) -> Image:
        """Return the combined ``science`` images, or the residuals of the ``mean`` psf."""
        hdu, index = self._needed(STAGES, remedy=RUN_AGAIN), (SCIENCE, MEAN).index(stage)
        if text_of(hdu.header, f"STAGE{index}") != stage:
            problem = f"has no stage {stage}"
            raise InputError(problem, file=f"{self.path}[{STAGES}]", remedy=RUN_AGAIN)
        return self._read_scaled(hdu, index)


def read_limits(path: Path) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return the columns separation, limit and contrast of a table of noise, by stage."""
    with open(path, encoding="utf-8", newline="") as lines:
        rows = read_rows(lines)
    stages = dict.fromkeys(row["stage"] for row in rows)
    return {
        stage: {
            name: np.array([float(row[name]) for row in rows if row["stage"] == stage])
            for name in ("separation", "limit", "contrast")
        }
        for stage in stages
    }
