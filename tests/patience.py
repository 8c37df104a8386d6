"""How long tests wait for processes: long enough that only a process that hangs fails."""

PATIENCE = 600  # seconds
