"""All ways of deployment make the same products as a checkout."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from extras import find_program
from forks import run_engine
from studies.demo import STORED, compare, describe

from .campaign import CHECKOUT
from psfalign.archive.checkout import list_code

REPOSITORY, TAG = "somebody/psfalign", "v9.9.9"
# What a repository has besides the code.
BESIDES = ("config", "profiles", "README.md", ".snakemake-workflow-catalog.yml")
JOBS = {
    "clean_psfs": 2,
    "clean_science": 3,
    "resolve_psfmask": 3,
    "fit_shifts": 3,
    "align_psfs": 3,
    "plot_exposure": 3,
    "subtract_psf": 3,
    "combine_rolls": 2,
    "plot_association": 2,
    "all": 1,
    "total": 25,
}


@dataclass(frozen=True)
class Way:
    """
    How the workflow is taken elsewhere.

    Attributes
    ----------
    module
        Where the user's own Snakefile finds psfalign; empty where there is no such Snakefile.
    used, prefix
        The names that the user gives to the rules, and to a folder for all results.
    arguments
        Arguments of the engine.
    """

    module: str = ""
    used: str = "*"
    prefix: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def snakefile(self) -> str:
        prefix = f'    prefix: "{self.prefix}"\n' if self.prefix else ""
        return (
            'configfile: "config/config.yaml"\n\n\n'
            f"module psfalign:\n    snakefile: {self.module}\n    config: config\n{prefix}\n\n"
            f"use rule * from psfalign as {self.used}\n{HANDLERS}"
        )


# Snakemake calls no handlers of a module; docs/deploy.md has these lines.
HANDLERS = "".join(
    f"\n\n{name}:\n    psfalign.{name}()\n" for name in ("onstart", "onsuccess", "onerror")
)
LOCAL = f'"{CHECKOUT / "workflow" / "Snakefile"}"'
GITHUB = f'github("{REPOSITORY}", path="workflow/Snakefile", tag="{TAG}")'
WAYS = {
    "shim": Way(arguments=("-s", str(CHECKOUT / "Snakefile"))),
    "workflow/Snakefile": Way(arguments=("-s", str(CHECKOUT / "workflow" / "Snakefile"))),
    "module": Way(LOCAL),
    "module of the shim": Way(f'"{CHECKOUT / "Snakefile"}"'),
    "module with prefix and as": Way(LOCAL, "psfalign_*", "aligned"),
    "github()": Way(GITHUB),
    "github() with as": Way(GITHUB, "psfalign_*"),
    "-s gh:": Way(arguments=("-s", f"gh:{REPOSITORY}@{TAG}", "--configfile", "config/config.yaml")),
}
# The others differ from one of these in what Snakemake plans only.
MADE = ("shim", "module with prefix and as", "github()", "-s gh:")


@dataclass(frozen=True)
class Deployed:
    """A working directory with the demo's configuration and exposures, and perhaps a Snakefile."""

    folder: Path
    arguments: tuple[str, ...] = ()
    prefix: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def results(self) -> Path:
        return self.folder / self.prefix / "results"

    def start(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake without the path of the tests."""
        environment = {**os.environ, **self.environment}
        environment.pop("PYTHONPATH", None)
        command = ["--cores", "2", *self.arguments, *arguments]
        return run_engine(command, folder=self.folder, env=environment)

    def snakemake(self, *arguments: str) -> str:
        """Run Snakemake, expect success, and return what it says."""
        result = self.start(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr


@pytest.fixture(scope="session")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Make a repository of the checkout as it is now; return what leads git and Snakemake there."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path_factory.mktemp("hosted")
    work = folder / "work"
    for path in list_code(CHECKOUT):
        copy = work / path.relative_to(CHECKOUT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    for name in BESIDES:
        source = CHECKOUT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, work / name)
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "All"), ("tag", TAG)):
        subprocess.run(["git", *author, *words], cwd=work, check=True)
    bare = folder / "github" / REPOSITORY
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(bare)], check=True)
    settings = folder / "gitconfig"
    settings.write_text(f'[url "{folder}/github/"]\n\tinsteadOf = https://github.com/\n')
    return {"GIT_CONFIG_GLOBAL": str(settings), "XDG_CACHE_HOME": str(folder / "cache")}


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the exposures of the demo, which need not be made each time."""
    from psfalign.simulate import simulate_campaign

    folder = tmp_path_factory.mktemp("simulated")
    simulate_campaign(folder)
    return folder


@pytest.fixture
def deployed(
    request: pytest.FixtureRequest, tmp_path: Path, simulated: Path, hosted: dict[str, str]
) -> Deployed:
    """Return a working directory for one of the ways."""
    way: Way = WAYS[request.param]
    folder = Deployed(tmp_path, way.arguments, way.prefix, hosted)
    shutil.copytree(CHECKOUT / "config", tmp_path / "config")
    shutil.copytree(simulated, folder.results / "simulated")
    if way.module:
        (tmp_path / "workflow").mkdir()
        (tmp_path / "workflow" / "Snakefile").write_text(way.snakefile)
    return folder


def planned(deployed: Deployed) -> dict[str, int]:
    stats = re.findall(r"^(?:psfalign_)?(\w+) +(\d+)$", deployed.snakemake("-n"), re.MULTILINE)
    return {name: int(count) for name, count in stats}


def test_handlers_are_those_of_the_page() -> None:
    assert HANDLERS.strip() in (CHECKOUT / "docs" / "deploy.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("deployed", WAYS, indirect=True)
def test_every_way_plans_the_same_jobs(deployed: Deployed) -> None:
    assert planned(deployed) == JOBS


@pytest.mark.parametrize("arguments", [("-n",), ("--rulegraph",)], ids=" ".join)
def test_minimal_campaign_is_that_of_the_catalogue(tmp_path: Path, arguments: tuple[str]) -> None:
    """It calls Snakemake so, in a clone; here the folder is a copy, which stays clean."""
    shutil.copytree(CHECKOUT / ".test", tmp_path / ".test")
    way = ("-s", str(CHECKOUT / "Snakefile"), "--directory", ".test")
    said = Deployed(tmp_path, way).snakemake(*arguments)
    steps = [name for name in JOBS if name not in ("all", "total")]
    assert [name for name in ["simulate_demo", *steps] if name not in said] == []


@pytest.mark.slow
@pytest.mark.parametrize("deployed", MADE, indirect=True)
def test_every_way_makes_the_stored_numbers(deployed: Deployed) -> None:
    make_a_part_of_the_demo(deployed)


@pytest.mark.slow
def test_snakedeploy_writes_what_makes_the_stored_numbers(
    tmp_path: Path, simulated: Path, hosted: dict[str, str]
) -> None:
    command = (
        find_program("snakedeploy", beside="snakedeploy"),
        "deploy-workflow",
        f"https://github.com/{REPOSITORY}",
    )
    subprocess.run(
        [*map(str, command), str(tmp_path / "own folder"), "--tag", TAG],
        env={**os.environ, **hosted},
        check=True,
        capture_output=True,
    )
    deployed = Deployed(tmp_path / "own folder", environment=hosted)
    shutil.copytree(simulated, deployed.results / "simulated")
    with open(deployed.folder / "workflow" / "Snakefile", "a", encoding="utf-8") as own:
        own.write(HANDLERS)
    make_a_part_of_the_demo(deployed)


def make_a_part_of_the_demo(deployed: Deployed) -> None:
    """Make one of its exposures, with the minimal campaign; a checkout makes all in `make run`."""
    config = Path("config", "config.yaml")
    shutil.copy(CHECKOUT / ".test" / config, deployed.folder / config)
    assert "1 exposure: 1 done" in deployed.snakemake()  # said by a handler
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    (product,) = deployed.results.glob("*/*_psfalign.fits")
    # The workflow adds the association candidate to the name of an exposure.
    (name,) = [n for n in stored if product.name.startswith(n.removesuffix("_psfalign.fits"))]
    compare(describe(product), stored[name])
    assert (deployed.results / "ro-crate-metadata.json").is_file()
    assert "Nothing to be done" in deployed.snakemake("-n")
    deployed.snakemake("--report", "report.html")
    report = (deployed.folder / "report.html").read_text(encoding="utf-8")
    for page in ("campaign.html", "_images.png", "_shifts.png", "_checks.png", "_table.html"):
        assert page in report


@pytest.mark.parametrize("deployed", ["module"], indirect=True)
def test_a_library_that_was_imported_before_is_refused(deployed: Deployed) -> None:
    """Such as that of a second psfalign, of another version, in the same workflow."""
    other = deployed.folder / "other" / "psfalign"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text('__version__ = "9.9"\n')
    own = deployed.folder / "workflow" / "Snakefile"
    first = f"import sys\nsys.path.insert(0, {str(other.parent)!r})\nimport psfalign as other\n"
    own.write_text(first + own.read_text())
    result = deployed.start("-n")
    assert result.returncode == 1
    assert [line for line in result.stderr.splitlines() if line.startswith("psfalign: ")] == [
        f"psfalign: error: {other}: version 9.9 was imported before the library of these rules, "
        f"{CHECKOUT}/workflow/lib/psfalign; use one psfalign in a workflow, and take the other "
        "off PYTHONPATH"
    ]
