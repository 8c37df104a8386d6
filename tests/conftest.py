"""What all tests share: the settings of hypothesis, and where the shared data are."""

from pathlib import Path

import pytest
from hypothesis import settings

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"

# Derandomized, so that a commit that passes once passes always; no deadline, as machines differ.
settings.register_profile("ci", derandomize=True, max_examples=25, deadline=None)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no test data in {SHARED_DATA}")
    return SHARED_DATA
