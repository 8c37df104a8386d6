"""Read and write the files that psfalign works on."""
