"""Align coronagraphic PSF reference images to JWST science exposures."""

__version__ = "0.1.0"
