"""`verify` finds whatever was done to results after they were made (item 51)."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files import (
    digests,
    scene,
    write_psfs,
)
from small_campaign import NAME, NO_CRATE, PRODUCT, make_results, rewrite, verify

from psfalign.archive.verify import findings
from psfalign.archive.verify.findings import Finding, Remark
from psfalign.cli import main
from psfalign.errors import MAKE_AGAIN
from psfalign.files.fits.structure import scan
from psfalign.files.shifts import ShiftTable
from psfalign.fit.integration import FitOptions
from psfalign.steps.align import align_exposure
from psfalign.steps.clean import clean_exposure
from psfalign.steps.fit import fit_exposure
from psfalign.steps.registry import led_to
from psfalign.steps.stages import SubtractionOptions
from psfalign.steps.subtract import subtract_psf


@pytest.fixture
def campaign(copied_results: Path) -> Path:
    return copied_results


def test_intact_results_are_said_to_be_so(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(campaign)
    code, said, wrong = verify(capsys)
    assert (code, wrong) == (0, [])
    assert said[0] == f"{PRODUCT}: ok; 6 pairs, 3 failed"
    assert said[1].startswith("1 products, 0 files wrong; read 6 files, ")
    assert digests(campaign) == before


def test_a_product_that_was_not_aligned_is_verified_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_results(tmp_path, psfmask="N/A")
    monkeypatch.chdir(tmp_path)
    code, said, wrong = verify(capsys)
    assert (code, wrong, said[0]) == (0, [], f"{PRODUCT}: ok; not aligned")


@pytest.mark.parametrize("name", ["PRIMARY", "SCI", "ERR", "DQ", "SHIFTS", "WEIGHT", "PROVENANCE"])
def test_item_51_a_changed_byte_in_any_hdu_is_found(
    name: str, campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [hdu] = [hdu for hdu in scan(Path(PRODUCT)) if hdu.name == name]
    # The last byte of the data, or of a comment card in the header.
    place = hdu.data_start + hdu.data_size - 1 if hdu.data_size else hdu.data_start - 1
    content = bytearray(Path(PRODUCT).read_bytes())
    content[place] ^= 2
    Path(PRODUCT).write_bytes(content)
    code, _, wrong = verify(capsys)
    assert code == 1
    assert len(wrong) == 1
    assert wrong[0].startswith(f"psfalign: error: {PRODUCT}")


def test_folder_without_a_crate_is_warned_of(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, warnings in (
        (["results"], [NO_CRATE]),
        ([PRODUCT], []),
    ):
        capsys.readouterr()
        assert main(["verify", *arguments]) == 0
        assert capsys.readouterr().err.splitlines() == warnings
    list_in_crate("configuration.json")()
    main(["verify", "results"])
    assert NO_CRATE not in capsys.readouterr().err


def test_item_51_a_product_cut_anywhere_is_found(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, ends = Path(PRODUCT).read_bytes(), [hdu.end for hdu in scan(Path(PRODUCT))]
    for size in (0, 1, 2880, *ends[:-1], ends[2] + 1, len(content) - 1, len(content) - 2880):
        Path(PRODUCT).write_bytes(content[:size])
        code, _, wrong = verify(capsys)
        assert (code, len(wrong)) == (1, 1), size


@dataclass(frozen=True)
class Damage:
    """
    Something done to results, and what verify says then.

    Attributes
    ----------
    finding
        What it should find.
    spoil
        What is done, in the folder of the campaign.
    said
        The line, without what precedes and follows it.
    """

    finding: Finding | Remark
    spoil: Callable[[], object]
    said: str


def edit(name: str, change: Callable[[Any], object]) -> Callable[[], None]:
    """Return what changes an HDU of the product and minds the checksums."""
    return lambda: rewrite(lambda hdus: change(hdus[name]))


def set_pixel(place: tuple[int, ...], value: float) -> Callable[[Any], None]:
    def change(hdu: Any) -> None:
        hdu.data[place] = value

    return change


def set_card(keyword: str, value: object) -> Callable[[Any], None]:
    return lambda hdu: hdu.header.set(keyword, value)


def set_rows(choose: Callable[[Any], Any]) -> Callable[[Any], None]:
    def change(hdu: Any) -> None:
        hdu.data = choose(hdu.data)

    return change


def drop(name: str, path: str = PRODUCT) -> Callable[[], None]:
    return lambda: rewrite(lambda hdus: hdus.pop(hdus.index_of(name)), path)


def edit_header(name: str, *changes: tuple[bytes, bytes]) -> Callable[[], None]:
    """Return what replaces bytes in the header of an HDU of the product."""

    def spoil() -> None:
        content = Path(PRODUCT).read_bytes()
        [hdu] = [hdu for hdu in scan(Path(PRODUCT)) if hdu.name == name]
        header = content[hdu.start : hdu.data_start]
        for old, new in changes:
            assert header.count(old) == 1
            header = header.replace(old, new)
        Path(PRODUCT).write_bytes(content[: hdu.start] + header + content[hdu.data_start :])

    return spoil


def edit_record(step: str, kind: str) -> Callable[[Any], None]:
    def change(hdu: Any) -> None:
        rows = np.array(hdu.data)
        [row] = [
            n
            for n, r in enumerate(rows)
            if (r["step"], r["kind"]) == (step.encode(), kind.encode())
        ]
        rows["value"][row] = "0" * 64
        hdu.data = rows

    return change


def edit_text(name: str, old: str, new: str) -> Callable[[], None]:
    def spoil() -> None:
        path = Path(name)
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return spoil


def set_option(section: str, **values: object) -> Callable[[], None]:
    def spoil() -> None:
        path = Path("results/configuration.json")
        config = json.loads(path.read_text())
        config.setdefault(section, {}).update(values)
        path.write_text(json.dumps(config))

    return spoil


def exclude_on_the_exposure() -> None:
    path = Path("results/configuration.json")
    config = json.loads(path.read_text())
    config["exposures"][0]["exclude"] = [{"column": 1, "row": 2, "radius": 3}]
    path.write_text(json.dumps(config))


def list_in_crate(name: str) -> Callable[[], object]:
    graph = {"@graph": [{"@id": name, "sha256": "0" * 64}]}
    path = Path("results/ro-crate-metadata.json")
    return lambda: path.write_text(json.dumps(graph))


def pass_on_a_pixel_that_is_no_number() -> None:
    make_results(Path(), psfmask="N/A")
    edit("SCI", set_pixel((1, 4, 4), np.nan))()


def clean_otherwise() -> None:
    clean_exposure(Path("data/sci_calints.fits"), Path(f"{STEM}_clean.fits"), median_box_length=5)


def subtract_before_the_product_changed() -> None:
    output = Path(f"{STEM}_psfsub.fits")
    subtract_psf(Path(f"{STEM}_clean.fits"), Path(PRODUCT), output)
    psfs, shifts, mask = Path(STACK), Path(f"{STEM}_shifts.ecsv"), Path(f"{STEM}_psfmask.json")
    align_exposure(psfs, shifts, mask, Path(PRODUCT), candidate="a3009")


def subtract_otherwise() -> None:
    options = SubtractionOptions(modes=(1, 3))
    subtract_psf(
        Path(f"{STEM}_clean.fits"), Path(PRODUCT), Path(f"{STEM}_psfsub.fits"), options=options
    )
    set_option("psf_subtraction", method="klip", modes=[1, 2])()


def change_psfstack() -> None:
    write_psfs(Path("data/star_psfstack.fits"), scene([(0.0, 0.0)] * 3, seed=5))


def exclude_otherwise() -> None:
    """A negative weight in the mask that is kept beside the weight of a fit with circles."""
    stem = Path(STEM)
    paths = [Path(f"{stem}_{end}") for end in ("clean.fits", "psfmask.json", "shifts.ecsv")]
    circle = {"column": 8, "row": 8, "radius": 1}
    fit_exposure(
        paths[0], Path(STACK), paths[1], paths[2], options=FitOptions(max_shift=4), exclude=[circle]
    )
    align_exposure(Path(STACK), paths[2], paths[1], Path(PRODUCT), candidate="a3001")
    set_option("align_refs", exclude=[circle])()
    edit("PSFMASK", set_pixel((3, 3), -0.5))()


STEM = f"results/{NAME}/{NAME}"
STACK = "results/psfstacks/star_clean.fits"
ZEROS = "0" * 64
CARD = "does not hold the {0} of the header"
CODE = f"{PRODUCT}[PROVENANCE]: the code of its steps does not add up to the CODESHA of the header"
DAMAGES = [
    *(
        Damage(
            Finding.NO_CHECKSUM,
            edit_header(name, (b"CHECKSUM=", b"COMMENT =")),
            f"{PRODUCT}[{name}]: has no CHECKSUM",
        )
        for name in ("PRIMARY", "SCI", "WEIGHT")
    ),
    Damage(
        Finding.NO_CHECKSUM,
        # Two words change places, which CHECKSUM does not notice.
        edit_header("PRIMARY", (b"DATASUM =", b"FILTSUM ="), (b"FILTER  =", b"DATAER  =")),
        f"{PRODUCT}[PRIMARY]: has no DATASUM",
    ),
    Damage(
        Finding.EXTENSIONS,
        drop("WEIGHT"),
        f"{PRODUCT}[WEIGHT]: there are 0 such extensions, expected one",
    ),
    Damage(
        Finding.AXES,
        edit("PRIMARY", set_card("DATAMODL", "CubeModel")),
        f"{PRODUCT}[SCI]: has 4 axes, which does not fit DATAMODL=CubeModel",
    ),
    *(
        Damage(
            Finding.TYPE,
            edit(name, change),
            f"{PRODUCT}[{name}]: its size or type is not that of a product",
        )
        for name, change in (
            ("SCI", set_rows(lambda data: data.astype(">f8"))),
            ("ERR", set_rows(lambda data: data.astype(">f8"))),
            ("DQ", set_rows(lambda data: data.astype(">i2"))),
            ("ERR", set_rows(lambda data: data[:1])),
        )
    ),
    Damage(
        Finding.COUNT,
        edit("PRIMARY", set_card("NFAILED", 0)),
        f"{PRODUCT}[SHIFTS]: NFAILED=0 but the table has 3",
    ),
    Damage(
        Finding.COUNT,
        edit("SHIFTS", set_rows(lambda rows: rows[:-1])),
        f"{PRODUCT}[SHIFTS]: NPAIRS=6 but the table has 5",
    ),
    *(
        Damage(
            Finding.ROWS,
            edit("SHIFTS", set_rows(lambda rows, order=order: rows[order])),
            f"{PRODUCT}[SHIFTS]: column {name} is not that of 6 planes",
        )
        for name, order in (("psf", [1, 0, 2, 3, 4, 5]), ("integration", [3, 4, 5, 0, 1, 2]))
    ),
    *(
        Damage(
            Finding.NOT_FINITE,
            edit(name, set_pixel((0, 2, 5, 5), np.inf)),
            f"{PRODUCT}[{name}]: plane 2 has pixels that are not finite, its fit is ok",
        )
        for name in ("SCI", "ERR")
    ),
    *(
        Damage(
            Finding.FAILED_VALUES,
            edit(name, set_pixel((1, 0), 0.0)),
            f"{PRODUCT}[{name}]: plane 3 has values although its fit failed",
        )
        for name in ("SCI", "ERR")
    ),
    Damage(
        Finding.FAILED_FLAGS,
        edit("DQ", set_pixel((1, 1, 0, 0), 0)),
        f"{PRODUCT}[DQ]: plane 4 may be used although its fit failed",
    ),
    Damage(
        Finding.NOT_FLAGGED,
        pass_on_a_pixel_that_is_no_number,
        f"{PRODUCT}[SCI]: plane 1 has pixels that are not finite and not flagged",
    ),
    *(
        Damage(
            Finding.WEIGHT,
            edit("WEIGHT", set_pixel((3, 3), value)),
            f"{PRODUCT}[WEIGHT]: has pixels that are negative or not finite",
        )
        for value in (-0.5, np.nan)
    ),
    Damage(
        Finding.WEIGHT,
        exclude_otherwise,
        f"{PRODUCT}[PSFMASK]: has pixels that are negative or not finite",
    ),
    Damage(
        Finding.NO_RECORD,
        edit("PROVENANCE", set_rows(lambda rows: rows[:0])),
        f"{PRODUCT}[PROVENANCE]: holds no record",
    ),
    *(
        Damage(
            Finding.CARD,
            edit("PRIMARY", set_card(card, ZEROS)),
            f"{PRODUCT}[PROVENANCE] {card}={ZEROS}: {CARD.format(card)}",
        )
        for card in ("SCISHA", "PSFSHA", "MASKSHA")
    ),
    Damage(Finding.CODE_CARD, edit("PRIMARY", set_card("CODESHA", ZEROS)), CODE),
    *(
        Damage(Finding.CODE_CARD, edit("PROVENANCE", edit_record(step, "code")), CODE)
        for step in (*led_to("align_psfs"), "align_psfs")
        if step != "stack_psfs"
    ),
    Damage(
        Finding.INPUT,
        change_psfstack,
        f"{PRODUCT}: data/star_psfstack.fits is not the file that it was made from (clean_psfs)",
    ),
    *(
        Damage(Finding.SETTING, spoil, f"{PRODUCT} {said}")
        for spoil, said in (
            (set_option("align_refs", max_shift=5), "max_shift=5: was made with 4 (fit_shifts)"),
            (
                set_option("psfmask", convention="weight"),
                'convention="weight": was made with "auto" (resolve_psfmask)',
            ),
            (
                exclude_on_the_exposure,
                'exclude=[{"column": 1, "row": 2, "radius": 3}]: was made with [] (fit_shifts)',
            ),
        )
    ),
    Damage(
        Finding.SETTING,
        subtract_otherwise,
        f"{STEM}_psfsub.fits modes=[1, 2]: was made with [1, 3] (subtract_psf)",
    ),
    Damage(
        Finding.DIGEST,
        list_in_crate(f"{NAME}/{NAME}_psfalign.fits"),
        f"{PRODUCT}: is not the file that ro-crate-metadata.json lists",
    ),
    Damage(
        Finding.GONE,
        list_in_crate("report/campaign.html"),
        "results/report/campaign.html: ro-crate-metadata.json lists it, but it is not there",
    ),
    Damage(
        Finding.MISSING,
        edit_text("results/configuration.json", "a3001", "a3002"),
        "results/sci_a3002/sci_a3002_psfalign.fits: there is no product",
    ),
    Damage(
        Finding.SHIFTS,
        edit_text(f"{STEM}_shifts.ecsv", "\n0 1 ", "\n0 1 9"),
        f"{STEM}_shifts.ecsv: column dx is not that of the product",
    ),
    Damage(
        Finding.MASK,
        edit_text(f"{STEM}_psfmask.json", '"sha256": "', '"sha256": "0'),
        f"{STEM}_psfmask.json: names another mask than the product",
    ),
    Damage(
        Finding.CONVENTION,
        edit_text(f"{STEM}_psfmask.json", '"convention": "weight"', '"convention": "exclude"'),
        f"{STEM}_psfmask.json: reads the mask as exclude, the product as weight",
    ),
    Damage(
        Finding.CLEAN,
        clean_otherwise,
        f"{STEM}_clean.fits: is not the cleaned exposure that the product was fitted to",
    ),
    Damage(
        Finding.SUBTRACTED,
        subtract_before_the_product_changed,
        f"{STEM}_psfsub.fits: was made of another product",
    ),
    Damage(
        Finding.NO_PROVENANCE,
        drop("PROVENANCE", STACK),
        f"{STACK}: has no table PROVENANCE",
    ),
    Damage(
        Remark.NOT_AT_HAND,
        lambda: Path("data/sci_calints.fits").unlink(),
        f"{PRODUCT}: ok; 6 pairs, 3 failed; not at hand: sci_calints.fits",
    ),
    Damage(
        Remark.UNFINISHED,
        lambda: Path(f"results/{NAME}/.{NAME}_psfalign.fits.0123456789abcdef.partial").touch(),
        f"results/{NAME}/.{NAME}_psfalign.fits.0123456789abcdef.partial: "
        "left over: the unfinished file of a killed run",
    ),
    Damage(
        Remark.NO_EXPOSURE,
        lambda: Path("results/sci_a3009").mkdir(),
        "results/sci_a3009: left over: no exposure of the configuration",
    ),
    Damage(
        Remark.NOT_SHARED,
        lambda: shutil.copy(STACK, STACK.replace("star", "planet")),
        "results/psfstacks/planet_clean.fits: left over: no psf stack of the configuration",
    ),
]
ELSEWHERE = {Remark.OTHER_CODE, Remark.NO_PRODUCT}  # each has a test of its own below


def test_every_finding_has_a_damage() -> None:
    assert {damage.finding for damage in DAMAGES} | ELSEWHERE == {*Finding, *Remark}
    sources = Path(findings.__file__).parent.glob("*.py")
    # Whatever is found is said by the list; only what was asked for can be refused otherwise.
    others = {path.name for path in sources if "InputError(" in path.read_text()}
    assert others <= {"findings.py", "command.py"}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.finding.name)
def test_item_51_damage_is_found(
    damage: Damage, campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(capsys)[0] == 0
    damage.spoil()
    code, said, wrong = verify(capsys)
    assert code == isinstance(damage.finding, Finding)
    lines = [line.removeprefix("psfalign: error: ").rpartition(";")[0] for line in wrong]
    assert damage.said in (lines if code else said), (wrong, said)


def test_every_column_of_the_shifts_is_compared(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(f"{STEM}_shifts.ecsv")
    table = ShiftTable.read(path)
    for name, column in table.columns.items():
        changed = column.copy()
        changed[0] = "bad_psf" if column.dtype.kind == "U" else not column[0]
        ShiftTable({**table.columns, name: changed}, table.meta).write(path)
        line = f"psfalign: error: {path}: column {name} is not that of the product; {MAKE_AGAIN}"
        assert line in verify(capsys)[2]


def test_an_input_may_lie_in_several_places(
    campaign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another file of the name is no mistake where the right one is there, too."""
    shutil.copytree("data", tmp_path / "vault")
    change_psfstack()
    assert verify(capsys)[0] == 1
    code, _, wrong = verify(capsys, "results", "--inputs", str(tmp_path / "vault"))
    assert (code, wrong) == (0, [])


def test_a_file_is_verified_by_what_it_is(
    campaign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    product, clean = tmp_path / "new.fits", tmp_path / "other.fits"
    shutil.copy(PRODUCT, product)
    shutil.copy(f"{STEM}_clean.fits", clean)
    code, said, wrong = verify(capsys, str(product), str(clean))
    gone = "not at hand: mask.fits, sci_calints.fits, star_psfstack.fits"
    assert said[:2] == [
        f"{product}: ok; 6 pairs, 3 failed; {gone}",
        f"{clean}: intact, but no product",
    ]
    assert (code, wrong) == (0, [])
    content = bytearray(product.read_bytes())
    content[scan(product)[1].data_start] ^= 1
    product.write_bytes(content)
    assert verify(capsys, str(product))[0] == 1
    code, _, wrong = verify(capsys, "data/mask.fits")
    assert (code, wrong[0].partition(";")[0]) == (
        1, "psfalign: error: data/mask.fits: has no table PROVENANCE",
    )  # fmt: skip


def test_inputs_are_compared_where_they_are(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("data/sci_calints.fits").unlink()
    write_psfs(Path("data/star_psfstack.fits"), scene([(0.0, 0.0)] * 3, seed=5))
    code, said, wrong = verify(capsys)
    problem = "data/star_psfstack.fits is not the file that it was made from (clean_psfs)"
    assert wrong == [f"psfalign: error: {PRODUCT}: {problem}; run the workflow again"]
    assert code == 1
    code, said, wrong = verify(capsys, PRODUCT)
    assert (code, wrong) == (0, [])
    gone = "sci_calints.fits, star_psfstack.fits"
    assert said[0] == f"{PRODUCT}: ok; 6 pairs, 3 failed; not at hand: {gone}"


def test_inputs_may_lie_elsewhere(
    campaign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("data").rename(tmp_path / "vault")
    assert "; not at hand: " in verify(capsys)[1][0]
    code, said, _ = verify(capsys, "results", "--inputs", str(tmp_path / "vault"))
    assert (code, said[0]) == (0, f"{PRODUCT}: ok; 6 pairs, 3 failed")


def test_other_code_is_said(
    campaign: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from psfalign.archive.verify import origins

    own = origins._code_of
    monkeypatch.setattr(origins, "_code_of", lambda step: "" if step == "fit_shifts" else own(step))
    code, said, _ = verify(capsys)
    assert code == 0
    assert said[0].endswith("; made by other code than this: fit_shifts")


def test_a_folder_without_products_is_refused(
    campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, wrong = verify(capsys, "data")
    assert code == 1
    assert wrong == ["psfalign: error: data: holds no product; name another folder"]
