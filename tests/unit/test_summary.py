"""
What the page of an exposure, its summary and `psfalign summary` say, cell by cell.

The table of shifts is written by hand: no two of its numbers are the same, and what is counted or
taken the median of is recounted here in plain Python.
"""

import html
import json
import math
import re
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from files import PSF_STEPS, SCIENCE_STEPS, exposure_hdus, ring, scene, write, write_mask
from simulate import shifted

from psfalign.campaign import layout
from psfalign.cli import main
from psfalign.files.provenance.records import software_versions
from psfalign.files.shifts import COLUMNS, ShiftTable
from psfalign.images.dq_flags import DO_NOT_USE
from psfalign.report.exposure import Pages, plot_exposure
from psfalign.report.pair_table import as_text
from psfalign.steps.clean import clean_exposure
from psfalign.steps.registry import Scope, steps_of
from psfalign.steps.resolve import resolve_psfmask

NAME = "jw1_a3001"
N_INTEGRATIONS, N_PSFS = 3, 5
FIRST = 1  # the first integration with usable fits
STATUS = ["bad_psf"] * 4 + ["no_convergence"] + ["ok"] * 3 + ["no_convergence"] * 2 + ["ok"] * 5
FAILED = {"bad_psf": 4, "no_convergence": 3}
SUSPICIOUS, DOUBTFUL = {5, 11}, {6, 10, 11, 12, 13, 14}  # rows
OK = [row for row, status in enumerate(STATUS) if status == "ok"]
REPLACED = [8, 9]  # pixels, in science and in psf planes
NOTE = "98% of the mask is above 0.5, so it is read as 1 = use"
UNKNOWN = {"chi2": (6, 14), "closure": (12,), "dx": (0, 1, 2, 3), "influence": (7,)}
OPTIONS = {
    "align_to": "each",
    "shifts": "pairwise",
    "method": "leastsq",
    "max_shift": 4,
    "weighting": "mask+dq",
    "background": "none",
    "padding": 0,
    "exclude": [{"separation": 7.1, "position_angle": 307.4, "radius": 0.8}],
}
# Columns that are shown, and their digits.
SHOWN = {
    "integration": ("integration", "d"),
    "psf": ("psf", "d"),
    "dx (pix)": ("dx", ".4f"),
    "dy (pix)": ("dy", ".4f"),
    "beta": ("beta", ".5f"),
    "sigma_dx (pix)": ("sigma_dx", ".5f"),
    "sigma_dy (pix)": ("sigma_dy", ".5f"),
    "sigma_beta": ("sigma_beta", ".5f"),
    "misfit": ("misfit", ".4f"),
    "chi2": ("chi2", ".3g"),
    "closure (pix)": ("closure", ".5f"),
    "influence (pix)": ("influence", ".4f"),
}


def make_table() -> ShiftTable:
    n = N_INTEGRATIONS * N_PSFS
    numbers = iter(np.random.default_rng(3).permutation(np.arange(1001, 9999)).tolist())
    columns: dict[str, Any] = {
        name: np.array([next(numbers) for _ in range(n)]) * {"float64": 1e-4}.get(kind, 1)
        for name, (kind, _, _) in COLUMNS.items()
        if kind in ("float64", "int64")
    }
    for name, rows in UNKNOWN.items():
        columns[name][list(rows)] = np.nan
    columns["integration"] = np.repeat(np.arange(N_INTEGRATIONS), N_PSFS)
    columns["psf"] = np.tile(np.arange(N_PSFS), N_INTEGRATIONS)
    columns["suspicious"] = np.isin(np.arange(n), list(SUSPICIOUS))
    columns["doubtful"] = np.isin(np.arange(n), list(DOUBTFUL))
    columns["status"] = np.array(STATUS)
    meta = {**OPTIONS, "science": "jw1_calints.fits", "excluded": [], "provenance": []}
    return ShiftTable({name: columns[name] for name in COLUMNS}, meta)


def write_cleaned(folder: Path, name: str, images: Any, n_bad: int) -> Path:
    """Clean an exposure with so many bad pixels, in the corner of its last plane."""
    hdus = exposure_hdus(images)
    hdus["DQ"].data[-1, 0, :n_bad] = DO_NOT_USE
    clean = folder / f"{name}_clean.fits"
    clean_exposure(write(hdus, folder / f"{name}_calints.fits"), clean)
    return clean


@dataclass(frozen=True)
class Case:
    """A campaign of one exposure, drawn and summed up, and the files that it was made from."""

    folder: Path
    table: ShiftTable
    science: Any
    psfs: Any
    pages: Pages


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("summary")
    output = folder / "results"
    for step, part, entry in layout.outputs(steps_of(Scope.EXPOSURE)):
        path = layout.result(output, step.name, NAME, part)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"SIMPLE  =".ljust(2880) if entry.ending.endswith(".fits") else b"")
    parts = ("images", "shifts", "checks", "table", "summary")
    pages = Pages(**{p: layout.result(output, "plot_exposure", NAME, p) for p in parts})
    science = scene([*SCIENCE_STEPS, (0.7, -0.9)])
    psfs = scene([*PSF_STEPS, (0.9, 0.25), (-0.35, -0.8)], seed=2)
    cleaned = [
        write_cleaned(folder, name, images, n_bad)
        for name, images, n_bad in zip(("jw1", "star"), (science, psfs), REPLACED, strict=True)
    ]
    mask, table = make_mask(folder), make_table()
    table.write(folder / "shifts.ecsv")
    plot_exposure(*cleaned, folder / "shifts.ecsv", mask, pages, name=NAME)
    for seconds, step in enumerate(steps_of(Scope.EXPOSURE), start=1):
        log = layout.log(output, step.name, NAME)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"psfalign: done in {seconds}.25 s, at most {100 + seconds} MB\n")
    return Case(folder, table, science, psfs, pages)


def make_mask(folder: Path) -> Path:
    mask = folder / "psfmask.json"
    named = write_mask(folder / "ring.fits")
    resolve_psfmask(folder / "jw1_calints.fits", mask, psfmask=str(named))
    return mask


def median(case: Case, of: Any) -> float:
    """Of what is known of the usable pairs."""
    columns = {name: values.tolist() for name, values in case.table.columns.items()}
    values = [of({name: column[row] for name, column in columns.items()}) for row in OK]
    return statistics.median(value for value in values if math.isfinite(value))


def expected_gain(case: Case) -> float:
    """The RMS that each psf image leaves at its best flux, not aligned over aligned; the median."""
    columns, star, weight = case.table.columns, case.science[FIRST].astype(float), ring()

    def left(psf: Any) -> float:
        beta = np.sum(weight * star * psf) / np.sum(weight * psf**2)
        return math.sqrt(np.sum(weight * (star - beta * psf) ** 2))

    ratios = []
    for row in (row for row in OK if columns["integration"][row] == FIRST):
        psf = case.psfs[columns["psf"][row]].astype(float)
        ratios.append(left(psf) / left(shifted(psf, (-columns["dx"][row], -columns["dy"][row]))))
    return statistics.median(ratios)


def test_every_number_of_the_summary(case: Case) -> None:
    summary = json.loads(case.pages.summary.read_text(encoding="utf-8"))
    assert summary.pop("versions") == software_versions()
    assert {entry[0] for entry in summary.pop("provenance")} == {"plot_exposure"}
    assert summary.pop("sizes") == {
        path.name: path.stat().st_size for path in (*case.pages.figures.values(), case.pages.table)
    }
    assert summary.pop("gain") == pytest.approx(expected_gain(case), rel=1e-5)
    columns = case.table.columns
    look = [row for row in range(15) if row not in OK or row in SUSPICIOUS | DOUBTFUL]
    doubts = {5: "suspicious", 11: "suspicious, doubtful"}
    assert summary == {
        "exposure": NAME,
        "science": "jw1_calints.fits",
        "psfs": ["star"],
        "shape": [N_INTEGRATIONS, N_PSFS, 32, 40],
        "psfmask": "ring.fits",
        "reason": "named in the configuration",
        "convention": "weight",
        "decided_by": "auto",
        "notes": [NOTE],
        "options": OPTIONS,
        "replaced": REPLACED,
        "pairs": 15,
        "failed": FAILED,
        "suspicious": 2,
        "doubtful": 6,
        "medians": {
            "shift": pytest.approx(median(case, lambda r: math.hypot(r["dx"], r["dy"]))),
            "uncertainty": pytest.approx(
                median(case, lambda r: math.hypot(r["sigma_dx"], r["sigma_dy"]))
            ),
            **{n: median(case, lambda r, n=n: r[n]) for n in ("closure", "misfit", "chi2")},
        },
        "integration": FIRST,
        "n_look_at": 14,
        "look_at": [
            {
                **{name: int(columns[name][row]) for name in ("integration", "psf")},
                **{
                    name: None if row in UNKNOWN.get(name, ()) else columns[name][row]
                    for name in ("dx", "dy", "closure")
                },
                "why": STATUS[row] if row not in OK else doubts.get(row, "doubtful"),
            }
            for row in look
        ],
    }


def words(row: int) -> str:
    doubts = [
        name for name, rows in (("suspicious", SUSPICIOUS), ("doubtful", DOUBTFUL)) if row in rows
    ]
    return ", ".join([STATUS[row], *doubts])


def expected_rows(case: Case) -> list[list[str]]:
    columns = case.table.columns
    return [
        [
            *(
                "–" if row in UNKNOWN.get(name, ()) else format(columns[name][row], spec)
                for name, spec in SHOWN.values()
            ),
            words(row),
        ]
        for row in range(N_INTEGRATIONS * N_PSFS)
    ]


def cells(row: str) -> list[str]:
    found = re.findall(r"<t[hd]\b.*?</t[hd]>", row, re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]*>", "", cell)).strip() for cell in found]


def test_every_cell_of_the_page(case: Case) -> None:
    page = case.pages.table.read_text(encoding="utf-8")
    head, *rows = map(cells, re.findall(r"<tr>.*?</tr>", page, re.DOTALL))
    assert head == [*SHOWN, "status"]
    assert rows == expected_rows(case)
    facts = [
        (html.unescape(name), html.unescape(value))
        for name, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)
    ]
    options = (
        "align_to=each, shifts=pairwise, method=leastsq, max_shift=4, weighting=mask+dq, "
        "background=none, padding=0, "
        "exclude=[{separation: 7.1, position_angle: 307.4, radius: 0.8}]"
    )
    assert facts == [
        ("science", "jw1_calints.fits"),
        ("psf exposures", "star"),
        ("mask", "ring.fits: named in the configuration"),
        ("read as", "weight (auto)"),
        ("note", NOTE),
        ("options", options),
        ("bad pixels replaced", "8 in science, 9 in psf planes"),
        ("software", ", ".join(f"{name} {value}" for name, value in software_versions().items())),
    ]
    assert f"<title>{NAME}" in page
    links = re.findall(r'<a href="(.*?)">(.*?)</a>', page)
    assert links == [(f"{NAME}_{part}.png", part) for part in ("images", "shifts", "checks")]


def test_every_cell_of_the_table_as_text(case: Case) -> None:
    head, *lines = as_text(case.table.columns).splitlines()
    assert re.split(r"  +", head.strip()) == [*SHOWN, "status"]
    assert [re.split(r"  +", line.strip()) for line in lines] == expected_rows(case)


def test_every_number_of_the_command(
    case: Case, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(case.folder)
    entry = {"science": "jw1_calints.fits", "psfs": "star_psfstack.fits", "asn_id": "a3001"}
    config = {
        "output_dir": "results",
        "exposures": [entry],
        "psfmask": {"references": ["ring.fits"]},
    }
    Path("campaign.yaml").write_text(yaml.safe_dump(config))
    assert main(["summary", "campaign.yaml"]) == 0
    shift = median(case, lambda r: math.hypot(r["dx"], r["dy"]))
    sigma = median(case, lambda r: math.hypot(r["sigma_dx"], r["sigma_dy"]))
    n_steps = len(list(steps_of(Scope.EXPOSURE)))
    seconds = sum(range(1, n_steps + 1)) + 0.25 * n_steps
    assert capsys.readouterr().out.splitlines() == [
        "",
        "1 exposure: 1 done. 15 pairs of integration and psf image: 7 fits failed, 2 suspicious, "
        "6 doubtful.",
        f"  {NAME}  15 pairs, shift {shift:.3f} ± {sigma:.4f} pix, residual ÷ "
        f"{expected_gain(case):.2f}, 7 failed, 2 suspicious, 6 doubtful, {seconds:.1f} s",
        "",
        "Products:      results/<exposure>/<exposure>_psfalign.fits",
        "Campaign page: results/report/campaign.html",
    ]
