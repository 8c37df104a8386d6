"""The whole workflow is written into a new folder or packed."""

from pathlib import Path

import pytest
from files import ROOT

from psfalign.archive.checkout import CHANGED, deploy_workflow, list_code, pack_code
from psfalign.cli import main
from psfalign.errors import PsfalignError


def test_deployed_folder_holds_what_the_checkout_holds(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    assert main(["deploy", str(folder)]) == 0
    code = {path.relative_to(ROOT) for path in list_code()}
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert code < found
    assert {path.parts[0] for path in found - code} == set(CHANGED)
    assert all((folder / name).read_bytes() == (ROOT / name).read_bytes() for name in found)
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_deployed_folder_can_be_deployed_again(tmp_path: Path) -> None:
    deploy_workflow(tmp_path / "first")
    deploy_workflow(tmp_path / "second", tmp_path / "first")
    first, second = (
        sorted(path.relative_to(tmp_path / name) for path in (tmp_path / name).rglob("*"))
        for name in ("first", "second")
    )
    assert first == second


def test_folder_with_something_in_it_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("mine")
    for folder in (tmp_path, tmp_path / "mine"):
        assert main(["deploy", str(folder)]) == 1
        error = f"psfalign: error: FOLDER={folder}: is not empty; name a new folder\n"
        assert capsys.readouterr().err == error
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_library_alone_cannot_be_packed(tmp_path: Path) -> None:
    with pytest.raises(PsfalignError, match="^[^:]*: the workflow is not beside the library; inst"):
        pack_code(tmp_path)
