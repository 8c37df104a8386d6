"""
Open a product as the program of this environment does, and say what it found of its flags.

Usage: open_product.py PROGRAM PRODUCT SCIENCE. The last line on standard output is JSON: the
checksum of the flags, and the seconds of processor that opening and reading took.
"""

import json
import sys
import time
import zlib

import numpy as np


def open_jwst(product, _):
    """Return DQ as a data model has it."""
    from stdatamodels.jwst import datamodels

    with datamodels.open(product) as model:
        _ = model.data[0], model.err[0]
        return np.array(model.dq)


def open_pyklip(product, science):
    """Return where the library of psf images is NaN: pyKLIP reads the flag NON_SCIENCE."""
    from pyklip.instruments.JWST import JWSTData

    data = JWSTData([science], psflib_filepaths=[product], center_include_offset=False)
    return np.isnan(data.psflib.master_library)


def open_fitsio(product, _):
    """Return DQ as CFITSIO reads it."""
    import fitsio

    with fitsio.FITS(product) as hdus:
        return hdus["DQ"].read()


def open_astropy(product, _):
    """Return DQ as astropy reads it."""
    from astropy.io import fits

    with fits.open(product, memmap=False) as hdus:
        return np.array(hdus["DQ"].data)


OPEN = {"jwst": open_jwst, "pyklip": open_pyklip, "fitsio": open_fitsio, "astropy": open_astropy}


def main(program, *paths):
    """Open twice, as the first time imports; print what was found, or why nothing was."""
    try:
        OPEN[program](*paths)
    except OSError as error:
        print()
        print(json.dumps({"problem": str(error).strip().splitlines()[-1]}))
        return
    start = time.process_time()
    flags = OPEN[program](*paths)
    taken = time.process_time() - start
    content = np.ascontiguousarray(flags, dtype="<u4").tobytes()
    print()
    print(json.dumps({"flags": zlib.crc32(content), "cpu": taken}))


if __name__ == "__main__":
    main(*sys.argv[1:])
