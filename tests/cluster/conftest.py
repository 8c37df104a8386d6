"""A Slurm cluster for the tests, if it can be started."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .engine import find_engine
from .slurm import Cluster, missing


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    absent = missing()
    if absent:
        pytest.skip(f"no Slurm: {absent}")
    if find_engine() is None:
        pytest.skip("no Slurm executor: make env-slurm, or make env-slurm VENV=.venv-slurm")
    cluster = Cluster(Path(tmp_path_factory.mktemp("slurm")) / "cluster")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
