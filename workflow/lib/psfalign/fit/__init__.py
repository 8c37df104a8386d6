"""The shift between a science image and a psf image. It imports `images` and `system`."""
