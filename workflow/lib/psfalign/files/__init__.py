"""Read and write the files of psfalign. It imports `images`, `fit` and `system`."""
