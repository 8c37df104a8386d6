"""Read and write FITS files: structure, checksums, images, tables."""
