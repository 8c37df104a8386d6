"""Align coronagraphic PSF reference images to JWST science exposures."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .steps.in_memory import align, clean, fit_shifts, read_exposure, read_mask, read_product

__all__ = ["align", "clean", "fit_shifts", "read_exposure", "read_mask", "read_product"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what a name needs when it is used: most programs need the version alone."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("psfalign.steps.in_memory"), name)
