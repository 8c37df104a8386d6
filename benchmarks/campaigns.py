"""
Simulated campaigns of any number of exposures, small enough that ten thousand fit on a disk.

Associations of two science exposures, the two rolls of a target, and five psf exposures, as
coronagraphic programs have them; one exposure more, listed in the configuration, comes with a
psfstack and a mask that serves nothing else. Images are of 24×24 pixels, their headers about as
long as psfalign needs.
"""

import io
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from astropy.io import fits
from numpy.typing import NDArray

from runs import Measured, measure
from scenes import KEYWORDS, observe, occulter, speckles

SNAKEFILE = Path(__file__).parents[1] / "Snakefile"
SHAPE = (24, 24)
ROLLS = 2  # science exposures of an association
DITHERS = 5  # its psf exposures
N_INTEGRATIONS = 1
COMMON_FILTER, SINGLE_FILTER = "F335M", "F444W"
PLACEHOLDER = "jw00000000000_00000_00000_nrcalong"  # of FILENAME, as long as every name


@dataclass(frozen=True)
class Campaign:
    """A folder with input files, masks and a configuration."""

    folder: Path

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.folder / "campaign.yaml"

    @property
    def common_mask(self) -> Path:
        """The mask of all exposures but one."""
        return self.folder / "masks" / "common.fits"

    @property
    def single_mask(self) -> Path:
        """The mask of that one."""
        return self.folder / "masks" / "single.fits"

    @property
    def changeable(self) -> tuple[Path, ...]:
        """What `configure` and a user may change."""
        return self.config, self.common_mask, self.single_mask

    @property
    def associations(self) -> list[str]:
        """The associations, as the configuration names them."""
        return list(yaml.safe_load(self.config.read_text())["associations"])

    def engine(self, *arguments: str) -> Measured:
        """Run Snakemake in the folder and measure it."""
        command = [str(Path(sys.executable).with_name("snakemake")), "-s", str(SNAKEFILE)]
        command += ["--configfile", self.config.name, *arguments]
        return measure(command, cwd=self.folder)

    def configure(self, **changes: Any) -> None:
        """Change keys at the top of the configuration."""
        config = yaml.safe_load(self.config.read_text())
        self.config.write_text(yaml.safe_dump(config | changes))


def write_campaign(folder: Path, n_exposures: int) -> Campaign:
    """Write a campaign of so many science exposures, one of which shares nothing with others."""
    campaign = Campaign(folder)
    for name in ("data", "masks"):
        (folder / name).mkdir(parents=True)
    contents = _contents()
    campaign.common_mask.write_bytes(_mask(COMMON_FILTER))
    campaign.single_mask.write_bytes(_mask(SINGLE_FILTER))
    data = folder / "data"
    (data / "jw09997_psfstack.fits").write_bytes(contents["single psf"])
    single = _write(data, "jw09997001001_02101_00001_nrcalong", contents["single"])
    associations = [
        write_association(data, number, min(ROLLS, n_exposures - 1 - first), contents)
        for number, first in enumerate(range(0, n_exposures - 1, ROLLS))
    ]
    config = {
        "associations": [f"data/{path.name}" for path in associations],
        "exposures": [
            {"science": f"data/{single}", "psfs": "data/jw09997_psfstack.fits", "asn_id": "a3001"}
        ],
        "psfmask": {"references": ["masks"]},
        "align_refs": {"max_shift": 3},
    }
    campaign.config.write_text(yaml.safe_dump(config, width=200))
    return campaign


def write_association(
    folder: Path, number: int, n_science: int, contents: Mapping[str, bytes] | None = None
) -> Path:
    """Write the exposures of an association, and the association."""
    contents = contents or _contents()
    program = f"jw{10000 + number:05}"
    science = [f"{program}001001_02101_{n:05}_nrcalong" for n in range(1, n_science + 1)]
    psfs = [f"{program}002001_02101_{n:05}_nrcalong" for n in range(1, DITHERS + 1)]
    members = [
        {"expname": _write(folder, name, contents[kind]), "exptype": kind}
        for kind, names in (("science", science), ("psf", psfs))
        for name in names
    ]
    product = {"name": f"{program}-a3001_t001_nircam", "members": members}
    path = folder / f"{program}-a3001_coron3_00001_asn.json"
    path.write_text(json.dumps({"asn_type": "coron3", "asn_id": "a3001", "products": [product]}))
    return path


def _write(folder: Path, root: str, content: bytes) -> str:
    """Write an exposure; its FILENAME makes it differ from all others."""
    name = f"{root}_calints.fits"
    (folder / name).write_bytes(content.replace(PLACEHOLDER.encode(), root.encode()))
    return name


def _contents() -> dict[str, bytes]:
    """Return the bytes of an exposure of each kind."""
    rng = np.random.default_rng(1)
    star = speckles(SHAPE, rng)
    science = observe(star, N_INTEGRATIONS, 1.0, rng)
    psfs = observe(star, DITHERS, 1.5, rng)
    return {
        "science": _exposure(science, COMMON_FILTER),
        "psf": _exposure(psfs[:1], COMMON_FILTER),
        "single": _exposure(science, SINGLE_FILTER),
        "single psf": _exposure(psfs, SINGLE_FILTER),
    }


def _exposure(images: NDArray[np.float64], filter_name: str) -> bytes:
    arrays = {
        "SCI": images.astype(np.float32),
        "ERR": np.full(images.shape, 1e-3, np.float32),
        "DQ": np.zeros(images.shape, np.uint32),
    }
    cards = {"DATAMODL": "CubeModel", "FILENAME": f"{PLACEHOLDER}_calints.fits"}
    return _bytes(arrays, {**cards, "FILTER": filter_name})


def _mask(filter_name: str) -> bytes:
    cards = {"REFTYPE": "PSFMASK", "USEAFTER": "2022-07-01T00:00:00", "DATAMODL": "PsfMaskModel"}
    # Half of the usual occulter: this one must leave most of a small image in use.
    hole = occulter((2 * SHAPE[0], 2 * SHAPE[1]))[::2, ::2]
    return _bytes({"SCI": hole.astype(np.float32)}, {**cards, "FILTER": filter_name})


def _bytes(arrays: Mapping[str, NDArray[Any]], cards: Mapping[str, object]) -> bytes:
    primary = fits.PrimaryHDU(header=fits.Header({**KEYWORDS, **cards}))
    hdus = [fits.ImageHDU(array, name=name) for name, array in arrays.items()]
    stream = io.BytesIO()
    fits.HDUList([primary, *hdus]).writeto(stream)
    return stream.getvalue()
