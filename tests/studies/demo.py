"""
Store and compare numbers of the demo's products, to detect changes of results.

    PYTHONPATH=tests:workflow/lib python -m studies.demo     # store them again
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from psfalign.cli import main as psfalign
from psfalign.simulate import simulate_campaign
from psfalign.simulate.observations import CAMPAIGN

STORED = Path(__file__).parent / "demo.json"
ARRAYS = ("SCI", "ERR", "DQ", "WEIGHT")
FITTED = ("dx", "dy", "beta")


def align_demo(folder: Path) -> dict[str, Any]:
    """Simulate the demo, align its exposures step by step, and describe each product."""
    simulate_campaign(folder)
    described = {}
    for observation in CAMPAIGN:
        psfs, mask = observation.psfs.name, observation.mode.psfmask
        for exposure in observation.sciences:
            output = folder / exposure.name.replace("_calints", "_psfalign")
            inputs = {"science": exposure.name, "psfs": psfs, "psfmask": mask}
            arguments = [
                x for key, name in inputs.items() for x in (f"--{key}", str(folder / name))
            ]
            assert psfalign(["align", *arguments, "--output", str(output)]) == 0
            described[output.name] = describe(output)
    return described


def describe(product: Path) -> dict[str, Any]:
    """
    Return what a product's arrays hold, without the header, which tells code and versions.

    Returns
    -------
    A digest of all arrays, and for a machine whose transforms round otherwise: what was fitted,
    and sum and sum of squares of the images.
    """
    with fits.open(product, memmap=False) as hdus:
        digest = hashlib.sha256()
        for name in ARRAYS:
            digest.update(hdus[name].data.tobytes())
        shifts = hdus["SHIFTS"].data
        fitted = {name: shifts[name].tolist() for name in FITTED}
        for name in FITTED:
            digest.update(np.asarray(shifts[name], ">f8").tobytes())
        images = hdus["SCI"].data.astype(np.float64)
        sums = [float(np.nansum(images)), float(np.nansum(images**2))]
    return {"sha256": digest.hexdigest(), **fitted, "sums": sums}


def compare(found: dict[str, Any], stored: dict[str, Any]) -> bool:
    """Compare a product with the stored numbers; return whether it is equal to the bit."""
    if found["sha256"] == stored["sha256"]:
        return True
    for column in FITTED:
        # Pixels and flux ratios; a fit ends within 1e-9 of where rounding lets it.
        assert np.allclose(found[column], stored[column], rtol=0, atol=1e-7)
    # Products are stored in single precision.
    assert np.allclose(found["sums"], stored["sums"], rtol=1e-5)
    return False


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="psfalign-demo-") as folder:
        described = align_demo(Path(folder))
    STORED.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    print(f"{STORED}: {len(described)} products")


if __name__ == "__main__":
    sys.exit(main())
