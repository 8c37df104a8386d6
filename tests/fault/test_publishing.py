"""Every file that is written is complete or as it was before, whatever call of the system fails."""

import re
from collections.abc import Iterable
from pathlib import Path
from unittest.mock import Mock

import pytest
from files import ROOT
from studies.injection import CALLS, FAULTS, LARGE_FILES_CALLS, attempts, need_strace
from studies.writers import Writer, make_writers

from psfalign.system import atomic_file

PARTIAL = re.compile(r"\..+\.[0-9a-f]{16}\.partial")
OLD = b"an earlier file"
KINDS = (
    "psfmask.json",
    "made psfmask.fits",
    "psfstack.fits",
    "clean.fits",
    "shifts.ecsv",
    "psfalign.fits",
    "psfsub.fits",
    "pictures",
    "facts.json",
    "campaign.yaml",
    "manifest.json",
    "pages",
    "show.png",
    "campaign page",
    "crate",
    "demo",
)


@pytest.fixture(scope="module")
def writers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Writer]:
    folder = tmp_path_factory.mktemp("inputs")
    need_strace(folder)
    return make_writers(folder)


def check(writer: Writer, path: Path, call: str, fault: str, *, old: bytes | None) -> None:
    """Make each call fail in turn, and check all files each time."""
    folder = path.parent
    folder.mkdir()
    writer(path)
    new = _contents(folder)
    _restore(new, old)
    for attempt in attempts(lambda: writer(path), call, fault, folder.with_suffix(".log")):
        found = _contents(folder)
        assert all(found.get(file) in (old, new[file]) for file in new), attempt
        left = [file.name for file in found.keys() - new.keys()]
        assert all(map(PARTIAL.fullmatch, left)) if fault == "KILL" else left == [], attempt
        if attempt.was_hit:
            _restore(new, old)
    assert attempt.n > 1, "nothing was ever hit"
    # The last one got through, and took away what killed ones had left.
    assert attempt.code == 0
    assert found == new


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _restore(paths: Iterable[Path], old: bytes | None) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
        if old is not None:
            path.write_bytes(old)


@pytest.mark.bad_input(45, 46, 47)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_item_46_a_table_and_its_predecessor(
    call: str, fault: str, writers: dict[str, Writer], tmp_path: Path
) -> None:
    check(writers["shifts.ecsv"], tmp_path / "out" / "shifts.ecsv", call, fault, old=OLD)


@pytest.mark.bad_input(45, 46, 47)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", LARGE_FILES_CALLS)
def test_item_46_what_a_product_is_written_with_besides(
    call: str, fault: str, writers: dict[str, Writer], tmp_path: Path
) -> None:
    check(writers["psfalign.fits"], tmp_path / "out" / "psfalign.fits", call, fault, old=OLD)


@pytest.mark.slow
@pytest.mark.bad_input(45, 46, 47)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_item_46_every_file(
    kind: str, call: str, fault: str, writers: dict[str, Writer], tmp_path: Path
) -> None:
    check(writers[kind], tmp_path / "out" / kind, call, fault, old=None)


# Not results: the log of a job, lines about a run while it goes on, what one process hands to
# another and removes, and what is remembered of modules, which is found out again if need be.
OTHERS = {
    "workflow/scripts/psfalign_adapter.py",
    "workflow/lib/psfalign/psfmask/crds_process.py",
    "workflow/lib/psfalign/files/provenance/code.py",
    "workflow/lib/psfalign/campaign/batches.py",
    "workflow/lib/psfalign/report/run_progress.py",
}


def test_item_46_nothing_is_written_but_by_the_publisher() -> None:
    """Figures and pages are written in the same way as the files above."""
    writing = re.compile(
        r"\.(write_text|write_bytes|savefig|writeto|tofile)\(|np\.save|open\([^)]*\"([wxa]|r\+)"
    )
    code = [path for end in ("py", "smk") for path in (ROOT / "workflow").rglob(f"*.{end}")]
    found = {
        str(path.relative_to(ROOT))
        for path in [ROOT / "Snakefile", ROOT / "workflow/Snakefile", *code]
        if writing.search(path.read_text(encoding="utf-8"))
    }
    allowed = {"workflow/lib/psfalign/system/atomic_file.py", *OTHERS}
    to_memory = {name for name in found if "io.BytesIO()" in (ROOT / name).read_text()}
    assert found - to_memory <= allowed


def test_every_kind_of_file_is_here(writers: dict[str, Writer]) -> None:
    assert set(writers) == set(KINDS)


def test_every_publisher_is_here(
    writers: dict[str, Writer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every module that writes files belongs to one of the writers."""
    library = ROOT / "workflow/lib"
    spies = {}
    for path in library.rglob("*.py"):
        module = ".".join(path.relative_to(library).with_suffix("").parts)
        imports = re.findall(r"atomic_file import (.+)", path.read_text(encoding="utf-8"))
        for name in (name for names in imports for name in names.split(", ")):
            if name.startswith("publish"):
                target = f"{module.removesuffix('.__init__')}.{name}"
                spies[target] = Mock(wraps=getattr(atomic_file, name))
                monkeypatch.setattr(target, spies[target])
    for kind, writer in writers.items():
        writer(tmp_path / kind)
    assert [target for target, spy in spies.items() if not spy.called] == []
