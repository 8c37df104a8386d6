"""Fit the shift between a science image and a psf image, and judge the fit."""
