"""
The machine: files that appear whole, disks, processes.

Any room may import it; it imports `errors` alone.
"""
