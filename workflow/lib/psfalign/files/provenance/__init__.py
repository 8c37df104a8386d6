"""Record how a file was made: records of steps, digests of code."""
