"""The steps of the workflow, one module for each: files in, one file out."""
