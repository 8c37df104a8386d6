"""
Subtract a 3D product of psfalign by pyKLIP, and say what is left around the star.

Usage: subtract_pyklip.py SCIENCE PSFS INNER OUTER FOLDER. The last line on standard output is JSON:
the root mean square between two radii, in pixels, with the centres that headers give and without
their offsets, and the centres themselves.
"""

import json
import sys

import numpy as np
import pyklip.parallelized
from pyklip.instruments.JWST import JWSTData


def subtract(science, psfs, folder, *, offsets):
    """Return the residuals of all integrations, (integrations, rows, columns), and the dataset."""
    data = JWSTData([science], psflib_filepaths=[psfs], center_include_offset=offsets)
    pyklip.parallelized.klip_dataset(
        data,
        mode="RDI",
        psf_library=data.psflib,
        annuli=1,
        subsections=1,
        numbasis=[len(data.psflib.isgoodpsf)],  # the library holds the science images, too
        outputdir=folder,
        fileprefix=f"offsets_{offsets}",
        numthreads=1,
        verbose=False,
    )
    return np.asarray(data.output).reshape(-1, *data.input.shape[-2:]), data


def scatter(images, inner, outer):
    """Return the root mean square in a ring around the middle, where pyKLIP puts the star."""
    rows, columns = np.indices(images.shape[1:])
    middle = [(size - 1) / 2 for size in images.shape[1:]]
    radius = np.hypot(rows - middle[0], columns - middle[1])
    return float(np.sqrt(np.nanmean(np.square(images[:, (radius >= inner) & (radius < outer)]))))


def main(science, psfs, inner, outer, folder):
    """Subtract with and without the offsets of the headers."""
    summary = {}
    for name, offsets in (("default", True), ("without_offsets", False)):
        left, data = subtract(science, psfs, folder, offsets=offsets)
        summary[name] = scatter(left, float(inner), float(outer))
        summary["science"] = scatter(np.asarray(data.input), float(inner), float(outer))
    summary["psfs"] = len(data.psflib.isgoodpsf)
    print()
    print(json.dumps(summary))


if __name__ == "__main__":
    main(*sys.argv[1:])
