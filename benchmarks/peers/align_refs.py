"""
Run AlignRefsStep of the jwst in this environment.

Usage: align_refs.py SCIENCE PSFS PSFMASK OUTPUT [cleaned]. The product goes to OUTPUT, the shifts
(integrations, psfs, (x, y, beta)), which the step does not store, to OUTPUT with suffix .npy. The
word ``cleaned`` leaves out the replacement of bad pixels; without any bad pixel in a MIRI image,
it would fail.
"""

import sys
from pathlib import Path

import numpy as np
from jwst.coron import AlignRefsStep, align_refs_step, imageregistration

SHIFTS = []


def record(align):
    """Wrap the function that fits one integration so that its shifts are kept."""

    def recording(*arguments, **options):
        result = align(*arguments, **options)
        SHIFTS.append(result[1] if isinstance(result, tuple) else result)
        return result

    return recording


def keep(model, *_):
    """Return a model as it is."""
    return model


def main(science, psfs, psfmask, output, *words):
    """Align files, with the mask given so that no reference is looked up."""
    imageregistration.align_array = record(imageregistration.align_array)
    if "cleaned" in words:
        align_refs_step.median_replace_img = keep
    step = AlignRefsStep()
    step.override_psfmask = psfmask
    step.run(science, psfs).save(output)
    np.save(Path(output).with_suffix(".npy"), np.array(SHIFTS))


if __name__ == "__main__":
    main(*sys.argv[1:])
