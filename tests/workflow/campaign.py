"""A campaign in a folder of its own: a copy of the checkout, simulated exposures, one engine."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from files import (
    PSF_STEPS,
    SCIENCE_STEPS,
    SKY,
    exposure_hdus,
    scene,
    write,
    write_mask,
)
from forks import run_engine

CHECKOUT = Path(__file__).parents[2]
NIRCAM = "jw09999001001_02102_00001_nrcalong_a3001"
SECOND = "jw09999002001_02102_00001_nrcalong_a3001"
MIRI = "jw09999003001_04101_00001_mirimage_a3002"
MIRI_STACK = "jw09999-a3002_t002_miri_f1065c-4qpm_1065"
# What the pictures of their rolls are called.
NIRCAM_ROLLS = "jw09999-a3001_t001_nircam_f335m-maska335r_a3001"
MIRI_ROLLS = "jw09999-a3002_t002_miri_f1065c-4qpm_1065_a3002"
MIRI_CARDS = {
    "INSTRUME": "MIRI",
    "FILTER": "F1065C",
    "CORONMSK": "4QPM_1065",
    "SUBARRAY": "MASK1065",
    "DETECTOR": "MIRIMAGE",
    "EXP_TYPE": "MIR_4QPM",
}
POINTING = {"CRVAL1": 311.29, "CRVAL2": -31.34}
# What the message of each rule says.
RULES = {
    "choosing the mask": "resolve_psfmask",
    "stacking": "stack_psfs",
    "replacing bad pixels": "clean",
    "fitting shifts": "fit_shifts",
    "aligning": "align_psfs",
    "subtracting": "subtract_psf",
    "combining": "combine_rolls",
    "drawing the figures": "plot_exposure",
    "drawing what is left": "plot_association",
}
OWN_CONFIG = {
    "output_dir": "results",
    "exposures": [
        {
            "science": "data/jw09999001001_02102_00001_nrcalong_calints.fits",
            "psfs": "data/jw09999-a3001_t001_nircam_f335m-maska335r_psfstack.fits",
            "asn_id": "a3001",
        },
        {
            "science": "data/jw09999003001_04101_00001_mirimage_calints.fits",
            "psfs": "data/jw09999-a3002_t002_miri_f1065c-4qpm_1065_psfstack.fits",
            "asn_id": "a3002",
        },
    ],
    "psfmask": {"references": ["masks"]},
    "align_refs": {"max_shift": 5},
}


@dataclass(frozen=True)
class Campaign:
    """A working directory with data, masks, a configuration, and the code that runs it."""

    folder: Path
    code: Path

    @property
    def config(self) -> Path:
        return self.folder / "campaign.yaml"

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "SOURCE_DATE_EPOCH": "0"}

    def write_config(self, config: dict) -> None:
        self.config.write_text(yaml.safe_dump(config))

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs Snakemake with the campaign's configuration."""
        engine = Path(sys.executable).with_name("snakemake")
        files = ("-s", self.code / "Snakefile", "--configfile", self.config)
        return [*map(str, (engine, *files)), *arguments]

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run Snakemake in the campaign's folder."""
        return run_engine(self.command(*arguments)[1:], folder=self.folder, env=self.env)

    def run(self, *arguments: str) -> None:
        """Run all that is to be done, and expect success."""
        result = self.snakemake(*arguments)
        assert result.returncode == 0, result.stderr

    def planned(self) -> set[tuple[str, str]]:
        """Return what would run: rule and exposure or stack."""
        result = self.snakemake("-n")
        assert result.returncode == 0, result.stderr + result.stdout
        return set(_jobs(result.stdout + result.stderr))


def _jobs(text: str) -> list[tuple[str, str]]:
    """Read rule and exposure or stack off the message of each job."""
    found = re.findall(r"^Job \d+: (\S+): (.*)$", text, re.MULTILINE)
    return [(next(r for words, r in RULES.items() if words in m), name) for name, m in found]


def make_campaign(folder: Path) -> Campaign:
    """Copy the code, simulate the exposures, and give each mask a place in a catalogue."""
    from psfalign.simulate import simulate_campaign

    simulate_campaign(folder / "data")
    (folder / "masks").mkdir()
    for mask in (folder / "data").glob("psfmask*.fits"):
        mask.rename(folder / "masks" / mask.name)
    return _with_code(folder)


def make_small_campaign(folder: Path) -> Campaign:
    """Copy the code, and write exposures and masks of the same names that hold a few pixels."""
    stacks = dict.fromkeys((entry["psfs"] for entry in OWN_CONFIG["exposures"]), 70.0)
    angles = {NIRCAM: 63.0, SECOND: 73.0, MIRI: 70.0}
    rolls = {f"data/{name.rpartition('_')[0]}_calints.fits": a for name, a in angles.items()}
    for seed, (name, angle) in enumerate({**rolls, **stacks}.items()):
        is_stack = name in stacks
        images = scene(PSF_STEPS if is_stack else SCIENCE_STEPS, seed=seed)
        target = "DEMO-REFERENCE" if is_stack else "DEMO-STAR"
        hdus = exposure_hdus(images, TARGPROP=target, **(MIRI_CARDS if "miri" in name else {}))
        hdus["SCI"].header.update(SKY | {"PA_APER": angle, "PIXAR_A2": 0.01, **POINTING})
        write(hdus, folder / name)
    write_mask(folder / "masks/psfmask_nircam_f335m_maska335r.fits")
    write_mask(folder / "masks/psfmask_miri_f1065c_4qpm_1065.fits", **MIRI_CARDS)
    return _with_code(folder)


def _with_code(folder: Path) -> Campaign:
    for name in ("Snakefile", "workflow", "profiles", "config", "environment.yml"):
        source, target = CHECKOUT / name, folder / "checkout" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, target)
    campaign = Campaign(folder, code=folder / "checkout")
    campaign.write_config(OWN_CONFIG)
    return campaign
