"""What made a file: records of steps, digests of code."""
