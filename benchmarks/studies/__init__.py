"""The parts of the study of accuracy, `benchmarks/accuracy.py`."""
