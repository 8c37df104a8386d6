"""No network, no shell, no code from data, no deserialisation, no files outside the output."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from files import ROOT, completed, write_campaign

from psfalign.campaign.exposures import plan_exposures
from psfalign.campaign.yaml import read_yaml
from psfalign.errors import ConfigError

WORKFLOW = ROOT / "workflow"
SOURCES = sorted([*WORKFLOW.glob("lib/psfalign/**/*.py"), *WORKFLOW.glob("scripts/*.py")])
RULES = [ROOT / "Snakefile", WORKFLOW / "Snakefile", *sorted(WORKFLOW.glob("rules/*.smk"))]
# What opens connections, runs programs, or makes objects of bytes.
FORBIDDEN_MODULES = {
    "asdf", "astropy.wcs", "code", "dill", "ftplib", "http", "joblib", "marshal", "multiprocessing.managers",
    "pickle", "pty", "requests", "shelve", "smtplib", "socket", "ssl", "telnetlib", "urllib",
    "webbrowser", "xmlrpc",
}  # fmt: skip
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "system", "popen", "spawnl", "execv"}
# Programs are started here only: git, with a fixed list of words, and this same Python, with a
# module of psfalign or Snakemake; what is asked goes to its standard input, or through a pair of
# sockets that have no address.
STARTS_PROGRAMS = {"checkout.py", "crds.py", "run.py", "warm.py"}
HAS_PAIR_OF_SOCKETS = {"warm.py"}
BUILTINS = {"eval", "exec", "compile", "__import__"}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


def called(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Names of built-in functions that are called, and of attributes such as os.system."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id, node
            elif isinstance(node.func, ast.Attribute) and node.func.attr not in BUILTINS:
                yield node.func.attr, node


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_module_can_do_what_data_might_ask_for(path: Path) -> None:
    tree = ast.parse(path.read_text())
    modules = set(imported(tree))
    roots = modules | {name.partition(".")[0] for name in modules}
    assert roots & FORBIDDEN_MODULES <= ({"socket"} if path.name in HAS_PAIR_OF_SOCKETS else set())
    assert "subprocess" not in roots or path.name in STARTS_PROGRAMS
    for name, call in called(tree):
        assert name not in FORBIDDEN_CALLS, f"line {call.lineno}"
        assert name not in {"connect", "bind", "create_connection"}, f"line {call.lineno}"
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert "shell" not in keywords, f"line {call.lineno}"
        assert keywords.get("allow_pickle", "False") == "False", f"line {call.lineno}"


def test_yaml_is_read_by_the_strict_loader_only() -> None:
    loads = {
        (path.name, name)
        for path in SOURCES
        for name, call in called(ast.parse(path.read_text()))
        if "yaml" in ast.unparse(call.func) and "load" in name
    }
    assert loads == {("yaml.py", "load"), ("run.py", "load")}


@pytest.mark.parametrize("path", RULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_rule_runs_a_shell(path: Path) -> None:
    assert not re.findall(
        r"^\s*(?:shell|run|wrapper|notebook|cwl)\s*:", path.read_text(), re.MULTILINE
    )


def test_file_names_that_a_shell_would_obey_are_only_names(tmp_path: Path) -> None:
    name = "$(touch hacked);`touch hacked`&|'\" _calints.fits"
    config = write_campaign(tmp_path)
    config["exposures"][0]["science"] = str(tmp_path / name)
    shutil.copy(tmp_path / "jw1_calints.fits", tmp_path / name)
    with pytest.raises(ConfigError, match="cannot be the name of results"):
        plan_exposures(completed(config))
    assert not list(tmp_path.rglob("hacked"))


def test_no_tag_of_yaml_makes_an_object(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("output_dir: !!python/object/apply:os.system ['touch hacked']\n")
    with pytest.raises(ConfigError, match=r"line 1, column 13"):
        read_yaml(path)


@pytest.mark.parametrize("asn_id", ["../a3001", "a3001/../../x", "a1\n"])
def test_results_cannot_leave_the_output_directory(asn_id: str, tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    config["exposures"][0]["asn_id"] = asn_id
    with pytest.raises(ConfigError, match="asn_id"):
        plan_exposures(completed(config))


def without_network() -> list[str]:
    """Return the command that runs another without any network but the loopback."""
    command = ["unshare", "--map-root-user", "--net"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], check=False).returncode
    ):
        pytest.skip("this machine does not let a test switch the network off")
    return command


def test_a_campaign_runs_without_a_network(tmp_path: Path) -> None:
    config = write_campaign(tmp_path)
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(config))
    engine = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "1"]
    command = [*without_network(), *engine, "--configfile", "campaign.yaml"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for name in ("jw1_a3001/jw1_a3001_psfalign.fits", "ro-crate-metadata.json"):
        assert (tmp_path / "results" / name).is_file()
