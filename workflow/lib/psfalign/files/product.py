"""Read psfalign products: any plane, the table of shifts, the weight."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..images.arrays import AlignTo, Background, Flags, Image
from ..images.circles import Circle
from .fits.planes import FitsPlanes
from .fits.structure import text_of
from .fits.tables import read_table
from .origins import read_origins_of
from .release import release_of, unread
from .shifts import with_absent

IMAGES = ("SCI", "ERR", "DQ", "WEIGHT")
EXTENSIONS = ("SHIFTS", *IMAGES)


class Product(FitsPlanes):
    """
    A psfalign product, whose planes are read on demand inside a ``with`` block.

    Attributes
    ----------
    n_psfs
        Number of psf images for each integration.
    columns
        The table of shifts.

    Raises
    ------
    InputError
        If the file is not a psfalign product, or its psf images were not aligned.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._hdus = {hdu.name: hdu for hdu in self.hdus}
        self._check()
        self.n_psfs: int = self._hdus["SCI"].shape[-3]
        self.columns = self._read_columns()
        if len(self) % self.n_psfs or len(self) != np.prod(self._hdus["SCI"].shape[:-2]):
            problem = f"its {len(self)} rows are not those of {self.n_psfs} psf images"
            raise InputError(problem, file=f"{path}[SHIFTS]", remedy="run the exposure again")

    def __len__(self) -> int:
        return len(self.columns["psf"])

    @property
    def unit(self) -> str:
        """The unit of the images."""
        return text_of(self._hdus["SCI"].header, "BUNIT") or "unit of the file"

    @property
    def align_to(self) -> AlignTo:
        """The option ``align_to``: each integration, the first, or the mean."""
        words: tuple[AlignTo, ...] = get_args(AlignTo)
        found = text_of(self.primary, "ALIGNTO")
        if found not in words:
            problem, remedy = "is not known", "run the exposure again"
            refusal = InputError(
                problem, file=self.path, keyword="ALIGNTO", value=found, remedy=remedy
            )
            raise unread(release_of(self.primary), refusal)
        return words[words.index(found)]

    @property
    def background(self) -> Background:
        """The background that was fitted."""
        words: tuple[Background, ...] = get_args(Background)
        return words[words.index(text_of(self.primary, "BACKGRND"))]

    @property
    def padding(self) -> int:
        """The padding in pixels with which the images were shifted."""
        return int(self.primary.get("PADDING", 0))

    @property
    def origins(self) -> list[str]:
        """The name of the exposure of each psf image, as far as it is known."""
        source = text_of(self.primary, "PSFFILE")
        return read_origins_of(self.path, self._hdus.get("PSFORIG"), source, self.n_psfs)

    @property
    def circles(self) -> list[Circle]:
        """The circles that the fit excluded, in pixels, rounded to a hundredth."""
        count = int(self.primary.get("NEXCLUDE", 0))
        return [self._read_circle(f"EXCL{number}") for number in range(1, count + 1)]

    def read_image(self, pair: int) -> Image:
        """Return the aligned psf image of a pair, (rows, columns) float64."""
        return self._read("SCI", pair).astype(np.float64)

    def read_error(self, pair: int) -> Image:
        """Return the errors of a pair, (rows, columns) float64."""
        return self._read("ERR", pair).astype(np.float64)

    def read_dq(self) -> Iterator[Flags]:
        """Return the flags of all pairs, plane by plane."""
        for pair in range(len(self)):
            stored = self._read("DQ", pair).astype(np.int64)
            zero = int(self._hdus["DQ"].header.get("BZERO", 0))
            yield np.asarray(stored + zero).astype(np.uint32)

    def read_weight(self) -> Image:
        """Return the weight of the fit, (rows, columns) float64."""
        return self._read("WEIGHT", 0).astype(np.float64)

    def _read_circle(self, keyword: str) -> Circle:
        text = text_of(self.primary, keyword)
        try:
            return Circle.parse(text)
        except (TypeError, ValueError) as error:
            problem, remedy = "is not a circle", "run the exposure again"
            raise InputError(
                problem, file=self.path, keyword=keyword, value=text, remedy=remedy
            ) from error

    def _check(self) -> None:
        if text_of(self.primary, "S_PSFALI") == "SKIPPED":
            problem, remedy = "its psf images were not aligned", "look at their psfstack"
            raise InputError(problem, file=self.path, keyword="S_PSFALI", remedy=remedy)
        for name in EXTENSIONS:
            if name not in self._hdus:
                remedy = "name a product of psfalign"
                refusal = InputError(
                    "no such extension", file=f"{self.path}[{name}]", remedy=remedy
                )
                raise unread(release_of(self.primary), refusal)
        for name in IMAGES:
            self._extension(name)

    def _read(self, name: str, index: int) -> NDArray[Any]:
        plane: NDArray[Any] = self._read_raw(self._hdus[name], index)[0]
        return plane

    def _read_columns(self) -> dict[str, NDArray[Any]]:
        hdu = self._hdus["SHIFTS"]
        try:
            return with_absent(read_table(self.path, hdu))
        except KeyError as error:
            problem, remedy = f"has no column {error}", "run the exposure again"
            refusal = InputError(problem, file=f"{self.path}[SHIFTS]", remedy=remedy)
            raise unread(release_of(self.primary), refusal) from error
