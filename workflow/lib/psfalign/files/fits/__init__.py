"""The bytes of FITS files: structure, checksums, writing, tables."""
