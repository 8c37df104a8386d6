"""
Compute with images: cleaning, shifting, flags, weights, subtraction.

All functions take and return arrays; none reads or writes files. The package imports `errors` only.
"""
