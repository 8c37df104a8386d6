"""How the engine's process keeps what it planned."""

import subprocess
import sys

PLAN = """
import atexit, gc
from psfalign.system.process import collect_as_usual, collect_seldom
atexit.register(lambda: print(gc.get_freeze_count() > 100_000))  # runs after what is registered later

def looked_through():
    before = gc.get_stats()[2]["collections"]
    made = [[i] for i in range(300_000)]
    jobs.append(made)
    return gc.get_stats()[2]["collections"] - before

jobs = []
usual = looked_through()
collect_seldom()
print(usual > 0, looked_through() == 0)
collect_as_usual()
jobs.clear()
print(looked_through() > 0)
"""


def test_planned_jobs_are_not_looked_through_and_are_left_in_the_end() -> None:
    result = subprocess.run(
        [sys.executable, "-c", PLAN], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["True"] * 4
