"""A campaign with inputs and results in S3, on a test server."""

import os
import re
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from extras import find_python
from files import ROOT, write_campaign, write_exposure

from psfalign.campaign.given import REMEDY
from psfalign.campaign.output_folder import say_elsewhere

NAME = "jw1_a3001"
PRODUCT = f"results/{NAME}/{NAME}_psfalign.fits"
SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
KEY = "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request"  # taken without a look
STORED = ("--default-storage-provider", "s3", "--default-storage-prefix", "s3://bucket/campaign")

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("storage")]


@dataclass(frozen=True)
class Storage:
    """A bucket, and a folder without the data from which Snakemake works on it."""

    python: Path
    url: str
    log: Path
    folder: Path

    def list_keys(self) -> list[str]:
        tree = ET.fromstring(self._ask("bucket"))
        return sorted(str(node.text) for node in tree.iter() if node.tag.endswith("}Key"))

    def get(self, key: str) -> bytes:
        return self._ask(f"bucket/{key}")

    def put(self, key: str, content: bytes = b"") -> None:
        self._ask(key, content, method="PUT")

    def _ask(self, place: str, content: bytes | None = None, *, method: str = "GET") -> bytes:
        headers = {"Authorization": KEY, "Content-Type": "application/octet-stream"}
        request = urllib.request.Request(f"{self.url}/{place}", content, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())

    def fetched(self) -> Counter[str]:
        """Count how often each object was downloaded, whole or in part."""
        return Counter(re.findall(r"GET /bucket/(\S+)", self.log.read_text()))

    def psfalign(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run("psfalign", *arguments)

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        start = ("-s", str(ROOT / "Snakefile"), "--configfile", "campaign.yaml", "--cores", "2")
        return self._run("snakemake", *start, *arguments)

    def _run(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        s3 = {"ENDPOINT_URL": self.url, "ACCESS_KEY": "a", "SECRET_KEY": "b"}
        environment = {f"SNAKEMAKE_STORAGE_S3_{name}": value for name, value in s3.items()}
        return subprocess.run(
            [str(self.python), "-m", module, *arguments],
            cwd=self.folder,
            env={**os.environ, **environment, "PYTHONPATH": str(ROOT / "workflow" / "lib")},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Put the files of a small campaign into a bucket; keep its configuration and manifest."""
    python = find_python("moto.server", "flask_cors", "snakemake_storage_plugin_s3")
    folder, log = tmp_path_factory.mktemp("storage"), tmp_path_factory.mktemp("server") / "log"
    pipe = subprocess.PIPE
    command = [str(python), "-c", SERVER]
    with (
        log.open("w") as stream,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=stream, text=True) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            storage = Storage(python, f"http://127.0.0.1:{port}", log, folder)
            fill(storage)
            yield storage
        finally:
            process.stdin.close()  # which it waits for, to end


def fill(storage: Storage) -> None:
    here = Path.cwd()
    os.chdir(storage.folder)
    config = write_campaign(Path("data")) | {"output_dir": "results", "manifest": "manifest.json"}
    config["psfmask"]["references"] = ["data/mask*.fits"]
    Path("campaign.yaml").write_text(yaml.safe_dump(config))
    os.chdir(here)
    for address, output in (("", "manifest.json"), ("s3://bucket/campaign", "addresses.json")):
        result = storage.psfalign(
            "manifest", "campaign.yaml", "--address", address, "--output", output
        )
        assert result.returncode == 0, result.stderr
    storage.put("bucket")
    for path in (storage.folder / "data").iterdir():
        storage.put(f"bucket/campaign/data/{path.name}", path.read_bytes())
    (storage.folder / "data").rename(storage.folder.with_name("inputs"))


def succeeded(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def done(server: Storage) -> Storage:
    """The storage after a run, whose inputs and results were nowhere else."""
    said = succeeded(server.snakemake(*STORED))
    assert said.count(say_elsewhere("results")) == 1
    return server


def test_results_are_in_the_storage_and_nowhere_else(done: Storage) -> None:
    keys = done.list_keys()
    for file in (
        PRODUCT,
        f"results/{NAME}/{NAME}_psfsub.fits",
        f"results/logs/fit_shifts/{NAME}.log",
    ):
        assert f"campaign/{file}" in keys
    assert not (done.folder / "results").exists()
    assert "Nothing to be done" in succeeded(done.snakemake(*STORED, "-n"))
    succeeded(done.snakemake(*STORED, "--report", "report.html"))
    assert f"{NAME}_images.png" in (done.folder / "report.html").read_text(encoding="utf-8")
    # Planned three times, made once: no input was fetched to look at it, and none twice.
    fetched = done.fetched()
    inputs = [key for key in keys if key.startswith("campaign/data/")]
    assert {key: fetched[key] for key in inputs} == dict.fromkeys(inputs, 1)


def test_inputs_at_addresses_make_the_same_bytes_here(done: Storage, tmp_path: Path) -> None:
    own = Storage(done.python, done.url, done.log, tmp_path)
    for name in ("campaign.yaml", "addresses.json"):
        (tmp_path / name).write_bytes((done.folder / name).read_bytes())
    succeeded(own.snakemake("--config", "manifest=addresses.json", "--", PRODUCT))
    assert (tmp_path / PRODUCT).read_bytes() == done.get(f"campaign/{PRODUCT}")
    again = own.snakemake("-n", "--config", "manifest=addresses.json", "--", PRODUCT)
    assert "Nothing to be done" in succeeded(again)


def test_another_file_than_the_manifest_lists_is_refused(done: Storage, tmp_path: Path) -> None:
    key = "campaign/data/jw1_calints.fits"
    good = done.get(key)
    other = write_exposure(tmp_path / "other.fits", FILTER="F444W")
    time.sleep(1)  # times in S3 are whole seconds
    done.put(f"bucket/{key}", other.read_bytes())
    try:
        result = done.snakemake(*STORED, "--config", "output_dir=others")
    finally:
        done.put(f"bucket/{key}", good)
    assert result.returncode == 1
    lines = re.findall(r"^psfalign: error: .*", result.stdout + result.stderr, re.MULTILINE)
    place = f".snakemake/storage/s3/bucket/{key}"
    message = (
        rf"psfalign: error: {place}: its SHA-256 is \w{{12}}…, planned was \w{{12}}…; {REMEDY}"
    )
    assert lines
    assert all(re.fullmatch(message, line) for line in lines)
    made = [found for found in done.list_keys() if found.startswith(f"campaign/others/{NAME}/")]
    assert made == []


def test_copied_results_have_a_page_and_a_crate_and_can_be_verified(
    done: Storage, tmp_path: Path
) -> None:
    own = Storage(done.python, done.url, done.log, tmp_path)
    for name in ("campaign.yaml", "manifest.json"):
        (tmp_path / name).write_bytes((done.folder / name).read_bytes())
    for key in done.list_keys():
        if key.startswith("campaign/results/"):
            path = tmp_path / key.removeprefix("campaign/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(done.get(key))
    assert "1 exposure: 1 done" in succeeded(own.psfalign("summary", "campaign.yaml"))
    succeeded(own.psfalign("crate", "campaign.yaml"))
    inputs = done.folder.with_name("inputs")
    said = succeeded(own.psfalign("verify", "results", "--inputs", str(inputs)))
    assert "ok" in said
