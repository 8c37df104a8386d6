"""Align coronagraphic PSF reference images to JWST science exposures."""

from typing import Any

__version__ = "0.1.0"
# What `psfalign.steps.in_memory` offers to users of Python.
OFFERED = ("align", "clean", "fit_shifts", "read_exposure", "read_mask", "read_product")


def __getattr__(name: str) -> Any:
    """Import what a name needs when it is used: every step needs the version, and no more."""
    if name not in OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("psfalign.steps.in_memory"), name)


def __dir__() -> list[str]:
    return [*globals(), *OFFERED]
