"""The table of shifts: one row for each integration and psf, as ECSV and as a FITS table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from ..errors import MAKE_AGAIN, InputError
from ..fit.closure import Closure, close
from ..fit.result import PairFit, Status
from ..images.arrays import Image, Shifts
from ..images.circles import Circle, leave_out
from .ecsv import META, read_rows, write_ecsv
from .fits.tables import table_hdu
from .provenance.records import Record, Records
from .release import unread
from .text import LARGEST_TABLE, read_text

# Name: (dtype, unit, description); the order is that of the columns.
COLUMNS: dict[str, tuple[str, str, str]] = {
    "integration": ("int64", "", "science integration, counted from 0"),
    "psf": ("int64", "", "psf image, counted from 0"),
    "dx": ("float64", "pix", "psf minus science position, along columns"),
    "dy": ("float64", "pix", "psf minus science position, along rows"),
    "beta": ("float64", "", "psf flux over science flux"),
    "sigma_dx": ("float64", "pix", "standard uncertainty of dx"),
    "sigma_dy": ("float64", "pix", "standard uncertainty of dy"),
    "sigma_beta": ("float64", "", "standard uncertainty of beta"),
    "dx_bias": ("float64", "pix", "error of dx from noise in the science image"),
    "dy_bias": ("float64", "pix", "error of dy from noise in the science image"),
    "beta_bias": ("float64", "", "error of beta from noise in the science image"),
    "cost": ("float64", "", "weighted sum of squared residuals"),
    "misfit": ("float64", "", "cost over weighted sum of squares of the psf"),
    "chi2": ("float64", "", "cost over what the errors let expect"),
    "n_pixels": ("int64", "", "pixels with weight"),
    "n_iterations": ("int64", "", "evaluations of the fit"),
    "closure": ("float64", "pix", "distance from the shift that all pairs imply"),
    "suspicious": ("bool", "", "closure beyond five sigma"),
    "influence": ("float64", "pix", "largest move without a window or stripes"),
    "doubtful": ("bool", "", "influence or misfit too large"),
    "status": ("string", "", "ok, or why the fit may not be used"),
}
# The columns of all releases, and the values that stand for columns added later.
NEEDED = (
    *("integration", "psf", "dx", "dy", "beta", "sigma_dx", "sigma_dy", "sigma_beta"),
    *("dx_bias", "dy_bias", "beta_bias", "cost", "n_pixels", "n_iterations"),
    *("closure", "suspicious", "status"),
)
ABSENT = {"int64": 0, "float64": np.nan, "bool": False, "string": ""}
TRUTH = {"True": True, "False": False}
TEXT_WIDTH = 16  # characters of the status column in FITS


@dataclass(frozen=True)
class ShiftTable:
    """
    The fits of all pairs.

    Attributes
    ----------
    columns
        The columns of `COLUMNS`, each (integrations * psfs,), ordered by integration, then psf;
        a table of another release may have more columns.
    meta
        Metadata: files, checksums, options, records.
    """

    columns: dict[str, NDArray[Any]]
    meta: dict[str, Any]

    @classmethod
    def of(
        cls, fits_: list[list[PairFit]], meta: dict[str, Any], *, shifts: Shifts = "pairwise"
    ) -> "ShiftTable":
        """
        Collect the fits of all integrations, and add their closure.

        With ``joint`` shifts, dx and dy are replaced by the shifts that all pairs together imply,
        see `psfalign.fit.closure`; the uncertainties remain those of the pair. If it is not certain
        which pairs are wrong, all keep their own shifts, and `shifts` in `meta` is ``pairwise``.
        """
        n_integrations, n_psfs = len(fits_), len(fits_[0]) if fits_ else 0
        flat = [fit for row in fits_ for fit in row]
        fields = [name for name in COLUMNS if name in PairFit.__dataclass_fields__]
        columns = {name: np.array([getattr(fit, name) for fit in flat]) for name in fields}
        columns["integration"] = np.repeat(np.arange(n_integrations), n_psfs)
        columns["psf"] = np.tile(np.arange(n_psfs), n_integrations)
        closed = _add_closure(columns, (n_integrations, n_psfs))
        if shifts == "joint" and closed.tells_who_is_wrong:
            _take_implied(columns, closed)
        elif shifts == "joint":
            meta = meta | {"shifts": "pairwise"}
        return cls({name: columns[name] for name in COLUMNS}, meta)

    def __len__(self) -> int:
        return len(self.columns["psf"])

    @property
    def n_failed(self) -> int:
        """Number of failed fits."""
        return len(self) - self.count(Status.OK)

    def count(self, status: Status) -> int:
        """Return the number of pairs of a status."""
        return int(np.count_nonzero(self.columns["status"] == status))

    @property
    def n_suspicious(self) -> int:
        """Number of usable fits that are suspicious."""
        return int(np.count_nonzero(self.columns["suspicious"]))

    @property
    def n_doubtful(self) -> int:
        """Number of usable fits that are doubtful."""
        return int(np.count_nonzero(self.columns["doubtful"]))

    @property
    def records(self) -> Records:
        """The records of the steps that led to the table."""
        return [Record.of(entry) for entry in self.meta.get("provenance", [])]

    @property
    def circles(self) -> list[Circle]:
        """The circles on the science image that the fit excluded, in pixels."""
        return [Circle(*place) for place in self.meta.get("excluded", [])]

    def leave_out(self, weight: Image) -> Image:
        """Return the weight of the fit, (rows, columns), from the weight of the mask."""
        return leave_out(weight, self.circles, reach=self.meta.get("reach", 0.0))

    def count_failures(self) -> dict[str, int]:
        """Return the numbers of failed fits by status."""
        failures = self.columns["status"][self.columns["status"] != Status.OK]
        names, counts = np.unique(failures, return_counts=True)
        return dict(zip(map(str, names), counts.tolist(), strict=True))

    def write(self, path: Path) -> None:
        """Publish the table as ECSV, with all digits."""
        meta = self.meta | {"pairs": len(self)}  # so that a table that was cut is noticed
        rows = zip(*(self.columns[name].tolist() for name in COLUMNS), strict=True)
        write_ecsv(path, COLUMNS, rows, meta)

    @classmethod
    def read(cls, path: Path) -> "ShiftTable":
        """Read a table that `write` of this or another release wrote."""
        meta: dict[str, Any] = {}
        try:
            lines = read_text(path, largest=LARGEST_TABLE).splitlines()
            meta = json.loads(next(x.removeprefix(META) for x in lines if x.startswith(META)))
            meta.pop("pairs", None)  # of the file, not of where its fits come from
            declared = [json.loads(x.removeprefix(COLUMN)) for x in lines if x.startswith(COLUMN)]
            rows = read_rows(lines)
            columns = {
                entry["name"]: _parse([row[entry["name"]] for row in rows], entry["datatype"])
                for entry in declared
            }
            return cls(with_absent(columns), meta)
        except (StopIteration, KeyError, ValueError, TypeError) as error:
            problem = "is not a table of shifts"
            refusal = InputError(problem, file=path, remedy="run fit_shifts again")
            raise unread(str(meta.get("psfalign", "")), refusal) from error

    def to_fits(self) -> tuple[Header, bytes]:
        """Return the header and the bytes of a binary table extension SHIFTS."""
        dtype = [
            (name, f"S{TEXT_WIDTH}" if kind == "string" else kind)
            for name, (kind, _, _) in COLUMNS.items()
        ]
        rows = np.zeros(len(self), dtype=dtype)
        for name in COLUMNS:
            rows[name] = self.columns[name]
        units = {name: unit for name, (_, unit, _) in COLUMNS.items()}
        descriptions = {name: text for name, (_, _, text) in COLUMNS.items()}
        return table_hdu(rows, "SHIFTS", descriptions=descriptions, units=units)


COLUMN = "# - "  # before the description of each


def with_absent(columns: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """
    Return the columns of a file, with defaults for `COLUMNS` that its release lacks.

    Raises
    ------
    KeyError
        If a column is missing that the first release had.
    """
    length = {len(columns[name]) for name in NEEDED}.pop()
    absent = {
        name: np.full(length, ABSENT[dtype], dtype="str" if dtype == "string" else dtype)
        for name, (dtype, _, _) in COLUMNS.items()
        if name not in columns
    }
    known = {name: absent.get(name, columns.get(name, np.array([]))) for name in COLUMNS}
    return known | columns


def read_meta(path: Path) -> dict[str, Any]:
    """
    Read the metadata of a table, and check that it has all its rows.

    Raises
    ------
    InputError
        If it is damaged.
    """
    content = read_text(path, largest=LARGEST_TABLE)
    lines = content.split("\n")
    try:
        found = next(n for n, line in enumerate(lines) if line.startswith(META))
        meta: dict[str, Any] = json.loads(lines[found].removeprefix(META))
        n_rows = sum(not line.startswith("#") for line in lines) - 2  # names, and after the last
        if lines[-1] or n_rows != meta.get("pairs", n_rows):
            raise ValueError("rows are missing")
    except (StopIteration, ValueError, TypeError) as error:
        raise InputError("is damaged", file=path, remedy=MAKE_AGAIN) from error
    return meta


def _add_closure(columns: dict[str, NDArray[Any]], shape: tuple[int, int]) -> Closure:
    dx, dy, sigma_dx, sigma_dy = (
        columns[name].reshape(shape) for name in ("dx", "dy", "sigma_dx", "sigma_dy")
    )
    usable = columns["status"].reshape(shape) == Status.OK
    closed = close(dx, dy, np.hypot(sigma_dx, sigma_dy) / np.sqrt(2), usable)
    columns["closure"], columns["suspicious"] = closed.residual.ravel(), closed.suspicious.ravel()
    return closed


def _take_implied(columns: dict[str, NDArray[Any]], closed: Closure) -> None:
    known = np.isfinite(closed.dx).ravel()
    columns["dx"] = np.where(known, closed.dx.ravel(), columns["dx"])
    columns["dy"] = np.where(known, closed.dy.ravel(), columns["dy"])


def _parse(words: list[str], dtype: str) -> NDArray[Any]:
    if dtype == "bool":
        return np.array([TRUTH[word] for word in words], dtype=bool)
    return np.array(words, dtype="str" if dtype == "string" else dtype)


def say_failures(failures: Mapping[str, int]) -> str:
    """Return how many fits failed for each reason, in words."""
    return ", ".join(f"{count} {status}" for status, count in failures.items())
