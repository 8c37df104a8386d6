"""How long tests wait for processes: so long that it tells of one that hangs, not of a slow machine."""

PATIENCE = 600  # seconds
