"""Define the observations of the demo campaign, and their instruments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..images.arrays import Bools

MASKA335R_SIGMA = 3.2927866  # 1/arcsec, as in WebbPSF

GRID = [(i, j) for j in (-1, 0, 1) for i in (-1, 0, 1)]
CROSS = [(0, 0), (-1, -1), (1, -1), (-1, 1), (1, 1)]
STARE = [(0, 0)]


@dataclass(frozen=True)
class Mode:
    """A coronagraph with its filter and detector."""

    selectors: Mapping[str, str]  # keywords that choose a psf mask
    keywords: Mapping[str, str]
    psfmask: str
    wavelengths: tuple[float, ...]  # m, across the filter's band
    pixel: float  # arcsec
    shape: tuple[int, int]  # rows, columns
    background: float  # MJy/sr; it is subtracted, but its photon noise remains
    sigma: float | None = None  # 1/arcsec, of a band-limited occulter; None for a 4-quadrant mask
    yang: float = 0.0  # degrees, V3I_YANG: from V3 to the detector's columns
    rotation: float = 0.0  # degrees, of telescope and coronagraph on the detector
    blind_columns: int = 0  # number of columns at the right edge that see no sky

    @property
    def blind(self) -> Bools:
        """The pixels that see no sky."""
        columns = np.arange(self.shape[1]) >= self.shape[1] - self.blind_columns
        return np.broadcast_to(columns, self.shape)


@dataclass(frozen=True)
class Exposure:
    """An exposure of a star, with one or several integrations."""

    name: str
    time: str  # UTC, hours and minutes
    roll: float  # degrees, position angle of the detector's columns
    flux: float  # MJy/sr, of the brightest pixel of the coronagraphic image
    centre: tuple[float, float]  # (dx, dy) in pixels, star minus occulter
    steps: Sequence[tuple[int, int]]  # dither steps, one per integration


@dataclass(frozen=True)
class Disk:
    """A thin inclined ring of dust around a star."""

    radius: float  # arcsec
    inclination: float  # degrees, 90 for edge-on
    angle: float  # degrees, position angle of the major axis
    flux: float  # MJy/sr, of its brightest pixel


@dataclass(frozen=True)
class Observation:
    """An association candidate: a star with a planet, and the psfs for it."""

    asn_id: str
    mode: Mode
    sciences: tuple[Exposure, ...]
    psfs: Exposure
    separation: float  # arcsec, of the planet
    angle: float  # degrees, its position angle
    flux: float  # MJy/sr, of its brightest pixel
    disk: Disk | None = None


NIRCAM = Mode(
    {"INSTRUME": "NIRCAM", "FILTER": "F335M", "CORONMSK": "MASKA335R", "SUBARRAY": "SUB320A335R"},
    {"DETECTOR": "NRCALONG", "PUPIL": "MASKRND", "EXP_TYPE": "NRC_CORON"},
    psfmask="psfmask_nircam_f335m_maska335r.fits",
    wavelengths=(3.24e-6, 3.36e-6, 3.48e-6),
    pixel=0.063,
    yang=-0.1,
    shape=(96, 96),
    background=0.2,
    sigma=MASKA335R_SIGMA,
)
MIRI = Mode(
    {"INSTRUME": "MIRI", "FILTER": "F1065C", "CORONMSK": "4QPM_1065", "SUBARRAY": "MASK1065"},
    {"DETECTOR": "MIRIMAGE", "EXP_TYPE": "MIR_4QPM"},
    psfmask="psfmask_miri_f1065c_4qpm_1065.fits",
    wavelengths=(10.35e-6, 10.575e-6, 10.8e-6),
    pixel=0.11,
    shape=(90, 96),
    background=3.0,
    yang=4.8,
    rotation=-4.5,
    blind_columns=4,
)
ROLL_1 = "jw09999001001_02102_00001_nrcalong_calints.fits"
ROLL_2 = "jw09999002001_02102_00001_nrcalong_calints.fits"
NIRCAM_PSFS = "jw09999-a3001_t001_nircam_f335m-maska335r_psfstack.fits"
MIRI_ROLL = "jw09999003001_04101_00001_mirimage_calints.fits"
MIRI_PSFS = "jw09999-a3002_t002_miri_f1065c-4qpm_1065_psfstack.fits"

# The planets are well above the noise. But the stars are at least sixty times as bright, and have
# hundreds of speckles, so that the planets move a shift by less than its uncertainty.
CAMPAIGN = (
    Observation(
        "a3001",
        NIRCAM,
        (
            Exposure(ROLL_1, "12:00", roll=63.0, flux=300.0, centre=(0.31, -0.22), steps=STARE * 4),
            Exposure(ROLL_2, "12:40", roll=73.0, flux=300.0, centre=(-0.18, 0.37), steps=STARE * 4),
        ),
        Exposure(NIRCAM_PSFS, "13:20", roll=68.0, flux=480.0, centre=(0.9, -0.6), steps=GRID),
        separation=1.3,
        angle=20.0,
        flux=1.5,
    ),
    Observation(
        "a3002",
        MIRI,
        (Exposure(MIRI_ROLL, "15:00", roll=70.0, flux=60.0, centre=(0.24, 0.15), steps=STARE * 3),),
        Exposure(MIRI_PSFS, "16:00", roll=70.0, flux=84.0, centre=(-0.7, 0.8), steps=CROSS),
        separation=2.6,
        angle=120.0,
        flux=1.0,
        disk=Disk(radius=3.2, inclination=78.0, angle=35.0, flux=0.6),
    ),
)
TRUTH = "truth.json"
FILES: tuple[str, ...] = (
    *(ROLL_1, ROLL_2, NIRCAM_PSFS, MIRI_ROLL, MIRI_PSFS),
    *(NIRCAM.psfmask, MIRI.psfmask, TRUTH),
)
# Position angle of the detector's columns in degrees; known before the exposures are simulated.
ROLLS: Mapping[str, float] = {
    exposure.name: exposure.roll for observation in CAMPAIGN for exposure in observation.sciences
}
# Integrations, rows and columns of exposures and stacks; known before they are simulated.
SHAPES: Mapping[str, tuple[int, int, int]] = {
    exposure.name: (len(exposure.steps), *observation.mode.shape)
    for observation in CAMPAIGN
    for exposure in (observation.psfs, *observation.sciences)
}
