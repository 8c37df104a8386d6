"""
Time the fit of jwst on arrays, pair by pair.

Usage: fit_pairs.py ARRAYS N_PAIRS, where ARRAYS is an .npz with science (integrations, rows,
columns), psfs (psfs, rows, columns) and weight. The last line on standard output is JSON: seconds
of each pair, after one that does not count, and shifts.
"""

import json
import sys
import time

import numpy as np
from jwst.coron import imageregistration

FIT = getattr(imageregistration, "align_fourierLSQ", None) or imageregistration.align_fourier_lsq


def main(path, n_pairs):
    """Fit the first psfs to the first science image."""
    with np.load(path) as arrays:
        science, psfs, weight = arrays["science"][0], arrays["psfs"], arrays["weight"]
    FIT(science, psfs[0], weight)
    seconds, shifts = [], []
    for psf in psfs[: int(n_pairs)]:
        start = time.process_time()
        shift = FIT(science, psf, weight)
        seconds.append(time.process_time() - start)
        shifts.append(np.asarray(shift)[:2].tolist())
    print(json.dumps({"seconds": seconds, "shifts": shifts}))


if __name__ == "__main__":
    main(*sys.argv[1:])
