"""
Arrays in, arrays out: cleaning, shifting, flags, weights.

It knows no files; it imports `errors` alone.
"""
