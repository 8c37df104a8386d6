"""
Replace bad pixels as AlignRefsStep of the jwst in this environment does, with its defaults.

Usage: clean.py INPUT OUTPUT, where OUTPUT is an .npy of the cleaned images.
"""

import sys

import numpy as np
from jwst.coron.median_replace_img import median_replace_img
from stdatamodels.jwst import datamodels

BOX, DO_NOT_USE = 3, 1


def main(source, output):
    """Clean a file."""
    with datamodels.CubeModel(source) as model:
        np.save(output, median_replace_img(model, BOX, DO_NOT_USE).data)


if __name__ == "__main__":
    main(*sys.argv[1:])
