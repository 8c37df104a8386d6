"""
Subtract the psf images of a folder by spaceKLIP, of which a checkout is given.

Usage: subtract_spaceklip.py CHECKOUT FOLDER OUTPUT MODES... The last line on standard output is
JSON: the file that spaceKLIP wrote. What needs reference data of webbpsf_ext and stpsf, which this
does not use, is replaced by dummies; so is the server that knows the filters.
"""

import json
import sys
from pathlib import Path
from unittest.mock import MagicMock

DUMMIES = {
    "mocapy": (),
    "stpsf": ("constants",),
    "webbpsf_ext": (
        *("bandpasses", "coords", "image_manip", "imreg_tools", "logging_utils", "maths"),
        *("robust", "synphot_ext", "utils", "webbpsf_ext_core"),
    ),
}
MICROMETRES = {"F444W": 4.4, "F356W": 3.6, "F1140C": 11.3}


class Dummy(MagicMock):
    """A module of which anything can be imported."""

    __path__ = ()
    __all__ = ()


def load(checkout):
    """Return spaceKLIP's modules for the files of a folder and for KLIP."""
    for package, modules in DUMMIES.items():
        for name in (package, *(f"{package}.{module}" for module in modules)):
            sys.modules[name] = Dummy()
    sys.modules["webbpsf_ext.imreg_tools"].get_coron_apname = lambda header: header["APERNAME"]
    version = Path(checkout) / "spaceKLIP" / "_version.py"  # written where it is installed
    if not version.exists():
        version.write_text('__version__ = "0"\n__version_tuple__ = (0,)\n')
    sys.path.insert(0, checkout)
    from spaceKLIP import database, pyklippipeline

    for name in ("wave_nircam", "weff_nircam", "wave_miri", "weff_miri"):
        setattr(database, name, MICROMETRES)
    return database, pyklippipeline


def main(checkout, folder, output, *modes):
    """Subtract as spaceKLIP does, by stars alone and in one ring."""
    database, pyklippipeline = load(checkout)
    files = sorted(map(str, Path(folder).glob("*_calints.fits")))
    found = database.Database(output)
    found.verbose = False
    found.read_jwst_s012_data(files)
    how = {"mode": ["RDI"], "annuli": [1], "subsections": [1], "numbasis": [*map(int, modes)]}
    pyklippipeline.run_obs(found, kwargs={**how, "numthreads": 1})
    (written,) = Path(output).glob("klipsub/*-KLmodes-all.fits")
    print()
    print(json.dumps({"file": str(written)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
