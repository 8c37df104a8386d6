"""Align coronagraphic PSF reference images to JWST science exposures."""

from typing import Any

__version__ = "0.1.0"
# The functions of `psfalign.steps.in_memory` that ``import psfalign`` offers.
OFFERED = ("align", "clean", "fit_shifts", "read_exposure", "read_mask", "read_product")


def __getattr__(name: str) -> Any:
    """Import a function when it is used first, because the steps need only the version."""
    if name not in OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("psfalign.steps.in_memory"), name)


def __dir__() -> list[str]:
    return [*globals(), *OFFERED]
