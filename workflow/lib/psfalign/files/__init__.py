"""The files of psfalign and their content. It imports `images`, `fit` and `system`."""
