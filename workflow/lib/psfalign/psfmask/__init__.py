"""
Choose, read and make masks.

The package imports `files`, and what `files` imports.
"""
