"""
Use the operating system: atomic files, disks, processes.

Any package may import it; it imports `errors` only.
"""
