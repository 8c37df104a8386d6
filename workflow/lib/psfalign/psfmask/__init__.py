"""
Which mask serves an exposure, and how it is read.

It imports `files` and what `files` imports.
"""
