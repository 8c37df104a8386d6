"""
Run KlipStep of the jwst in this environment, and say what it made of its inputs.

Usage: klip.py SCIENCE PSFS OUTPUT. The last line on standard output is JSON.
"""

import json
import sys
import warnings

import numpy as np
from jwst.coron import KlipStep
from stdatamodels.jwst import datamodels


def describe(path):
    """Open a file as a data model, check it against its schema, and name its class and arrays."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with datamodels.open(path) as model:
            model.validate()
            arrays = {name: [*model[name].shape] for name in ("data", "err", "dq")}
            kinds = {name: model[name].dtype.name for name in ("data", "err", "dq")}
            kind = type(model).__name__
    complaints = [str(w.message) for w in caught if "alid" in type(w.message).__name__]
    return {"model": kind, "arrays": arrays, "dtypes": kinds, "complaints": complaints}


def main(science, psfs, output):
    """Subtract, save the residual, and print a summary."""
    summary = {"science": describe(science), "psfs": describe(psfs)}
    residual = KlipStep().run(science, psfs)
    summary["step"] = residual.meta.cal_step.klip
    summary["finite"] = bool(np.isfinite(residual.data).all())
    residual.save(output)
    print(json.dumps(summary))


if __name__ == "__main__":
    main(*sys.argv[1:])
