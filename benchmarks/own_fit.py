"""
Time psfalign's fit on arrays.

Usage: own_fit.py ARRAYS BACKGROUND [ERROR], where ARRAYS is an .npz with science (integrations,
rows, columns), psfs (psfs, rows, columns) and weight, BACKGROUND is the option of that name, and
ERROR is that of all pixels, where it is known. The last line on standard output is JSON: CPU
seconds for all pairs together, after a first time that does not count, and the shifts of
integration 0.
"""

import json
import sys
import time
from typing import cast

from psfalign.system.process import prepare_process

prepare_process()

import numpy as np

from psfalign.fit.exposure import fit_shifts
from psfalign.fit.integration import FitOptions
from psfalign.images.arrays import BackgroundChoice
from psfalign.images.frames import Frame


def main(path: str, background: str, error: str = "") -> None:
    """Fit the psfs to the science images, twice."""
    with np.load(path) as arrays:
        variance = np.full(arrays["weight"].shape, float(error) ** 2) if error else None
        science, psfs = (
            [Frame(image, None, variance) for image in arrays[name]] for name in ("science", "psfs")
        )
        weight = arrays["weight"]
    options = FitOptions(background=cast("BackgroundChoice", background))
    for _ in range(2):
        start = time.process_time()
        fits = list(fit_shifts(science, psfs, weight, options=options))
        seconds = time.process_time() - start
    print(json.dumps({"seconds": seconds, "shifts": [(fit.dx, fit.dy) for fit in fits[0]]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
