"""What each file of psfalign holds. It imports `images`, `fit` and `system`."""
