"""How far exposures are, read off logs and results, and the page that says so."""

import json
from pathlib import Path
from typing import Any

import pytest

from psfalign.campaign import layout
from psfalign.campaign.exposures import ScienceExposure, Stack
from psfalign.report.campaign import MOST_LINES, closing_lines, count, write_campaign_page
from psfalign.report.states import OWN_STEPS, ExposureState, State, StepRun, read_log, survey_states
from psfalign.steps.registry import Scope, steps_of

DONE_LINE = "psfalign: done in 1.50 s, CPU 0.75 s, at most 200 MB\n"
SUMMARY = {
    "exposure": "a",
    "science": "a_calints.fits",
    "psfs": ["p1", "p2"],
    "shape": [2, 3, 32, 40],
    "psfmask": "mask.fits",
    "reason": "FILTER=F335M <latest>",
    "convention": "weight",
    "decided_by": "auto",
    "notes": [],
    "options": {},
    "replaced": [4, 5],
    "pairs": 6,
    "failed": {},
    "suspicious": 0,
    "doubtful": 0,
    "medians": {
        "shift": 0.51234,
        "uncertainty": 0.00123,
        "closure": None,
        "misfit": 0.0123,
        "chi2": None,
    },
    "gain": 3.456,
    "integration": 0,
    "n_look_at": 0,
    "look_at": [],
    "versions": {"psfalign": "0.1.0"},
}


def exposure(name: str) -> ScienceExposure:
    stack = Stack("stack", (Path("p1"), Path("p2")), is_stacked=False)
    return ScienceExposure(name, Path(f"{name}.fits"), "a3001", stack, None, "exposures[0]")


def log(output: Path, step: str, name: str, text: str) -> None:
    path = output / "logs" / step / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def finish(output: Path, name: str, **changes: Any) -> None:
    """Leave what a complete exposure leaves."""
    for step in OWN_STEPS:
        log(output, step, name, f"said something\n{DONE_LINE}")
    summary = json.dumps(SUMMARY | {"exposure": name} | changes).encode()
    for step, part, entry in layout.outputs(steps_of(Scope.EXPOSURE)):
        path = layout.result(output, step.name, name, part)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"SIMPLE  =".ljust(2880) if entry.ending.endswith(".fits") else summary)


def write_page(output: Path, *names: str) -> list[ExposureState]:
    states = survey_states(output, [exposure(name) for name in names])
    write_campaign_page(output, states)
    return states


def states_of(output: Path, *names: str) -> dict[str, State]:
    return {state.name: state.state for state in write_page(output, *names)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DONE_LINE, {"seconds": 1.5, "cpu_seconds": 0.75, "megabytes": 200}),
        ("psfalign: done in 1.50 s, at most 20 MB\n", {"seconds": 1.5, "megabytes": 20}),
        ("psfalign: done in 2.00 s\n", {"seconds": 2.0, "megabytes": 0}),
        ("half\n", {}),
        ("", {}),
        ("psfalign: error: a.fits: is empty; mend it\n", {"error": "a.fits: is empty; mend it"}),
        (
            "fitted 3\nTraceback (most recent call last):\n  File x\nMemoryError: much\n",
            {"error": "MemoryError: much (see {path})"},
        ),
    ],
)
def test_last_line_of_a_log_tells_how_a_step_ended(
    text: str, expected: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "x.log"
    path.write_text(text)
    if "error" in expected:
        expected = {"error": expected["error"].format(path=path)}
    assert read_log("fit_shifts", path) == StepRun("fit_shifts", str(path), **expected)


def test_state_of_each_exposure(tmp_path: Path) -> None:
    log(tmp_path, "stack_psfs", "stack", DONE_LINE)
    finish(tmp_path, "complete")
    finish(tmp_path, "lost")
    layout.result(tmp_path, "align_psfs", "lost").unlink()
    finish(tmp_path, "broken")
    log(tmp_path, "fit_shifts", "broken", "psfalign: error: broken.fits: why; remedy\n")
    states = states_of(tmp_path, "complete", "lost", "broken", "new")
    assert states == {
        "broken": State.FAILED,
        "lost": State.UNFINISHED,
        "new": State.NOT_STARTED,
        "complete": State.DONE,
    }
    assert list(states) == ["broken", "lost", "new", "complete"]  # what went wrong stands first


def test_figures_are_missed_where_the_summary_names_them(tmp_path: Path) -> None:
    """With `figures: reported` or `none`, there are none."""
    finish(tmp_path, "without")
    finish(tmp_path, "lost", sizes={"lost_images.png": 3, "lost_table.html": 4})
    for name in ("without", "lost"):
        layout.result(tmp_path, "plot_exposure", name, "images").unlink()
    states = states_of(tmp_path, "without", "lost")
    assert states == {"lost": State.UNFINISHED, "without": State.DONE}


def test_summary_that_cannot_be_read_fails_its_exposure_and_no_other(tmp_path: Path) -> None:
    for name in ("complete", "unread"):
        finish(tmp_path, name)
    summary = layout.result(tmp_path, "plot_exposure", "unread")
    summary.unlink()
    summary.mkdir()
    first, second = write_page(tmp_path, "complete", "unread")
    assert (first.state, second.state) == (State.FAILED, State.DONE)
    assert first.failure is not None
    assert first.failure.error == f"{summary}: Is a directory; name a file, or remove the folder"


def test_failed_stack_fails_the_exposures_that_need_it(tmp_path: Path) -> None:
    log(tmp_path, "clean_psfs", "stack", "psfalign: error: p1: broken; mend it\n")
    assert states_of(tmp_path, "a", "b") == {"a": State.FAILED, "b": State.FAILED}


def test_page_shows_failed_exposures_with_their_line_and_escapes_it(tmp_path: Path) -> None:
    finish(tmp_path, "good")
    log(tmp_path, "fit_shifts", "bad", "psfalign: error: <b>x</b> & y; remedy\n")
    states_of(tmp_path, "good", "bad")
    page = (tmp_path / "report/campaign.html").read_text()
    assert "&lt;b&gt;x&lt;/b&gt; &amp; y; remedy" in page
    assert "<b>x" not in page
    assert "FILTER=F335M &lt;latest&gt;" in page
    assert "http" not in page
    listed = json.loads((tmp_path / "report/campaign.json").read_text())["exposures"]
    assert [(entry["name"], entry["state"]) for entry in listed] == [
        ("bad", "failed"),
        ("good", "done"),
    ]


def test_shared_stack_counts_once_in_the_durations(tmp_path: Path) -> None:
    for name in ("a", "b"):
        finish(tmp_path, name)
    log(tmp_path, "clean_psfs", "stack", DONE_LINE)
    states_of(tmp_path, "a", "b")
    page = (tmp_path / "report/campaign.html").read_text()
    rows = [line for line in page.splitlines() if line.startswith("<tr>")]
    (stack,) = [row for row in rows if "clean_psfs" in row]
    (fits,) = [row for row in rows if "fit_shifts" in row]
    assert [">1<" in stack, ">2<" in fits] == [True, True]


def test_closing_lines_say_what_matters(tmp_path: Path) -> None:
    finish(tmp_path, "good")
    finish(tmp_path, "dubious", failed={"bad_psf": 2}, suspicious=1, doubtful=3, n_look_at=5)
    finish(tmp_path, "skipped", pairs=0, reason="psfmask N/A")
    log(tmp_path, "fit_shifts", "bad", "psfalign: error: broken; remedy\n")
    names = ("good", "dubious", "skipped", "bad", "new")
    states = write_page(tmp_path, *names)
    assert closing_lines(tmp_path, states) == [
        "",
        "5 exposures: 1 failed, 1 not started, 3 done. "
        "12 pairs of integration and psf image: 2 fits failed, 1 suspicious, 3 doubtful.",
        "  bad      FAILED in fit_shifts: broken; remedy",
        "  new      not started",
        "  dubious  6 pairs, shift 0.512 ± 0.0012 pix, residual ÷ 3.46, 2 failed, 1 suspicious, 3 doubtful, "
        "9.0 s",
        "  good     6 pairs, shift 0.512 ± 0.0012 pix, residual ÷ 3.46, 0 failed, 9.0 s",
        "  skipped  not aligned: psfmask N/A",
        "",
        f"Products:      {tmp_path}/<exposure>/<exposure>_psfalign.fits",
        f"Campaign page: {tmp_path}/report/campaign.html",
    ]


def test_long_campaigns_do_not_flood_the_screen(tmp_path: Path) -> None:
    states = write_page(tmp_path, *(f"e{i}" for i in range(MOST_LINES + 7)))
    lines = closing_lines(tmp_path, states)
    assert len(lines) < MOST_LINES + 10
    assert "  and 7 more, on the campaign page" in lines
    assert count(states).startswith("57 exposures: 57 not started.")


@pytest.mark.bad_input(56)
@pytest.mark.parametrize("content", [b"", b"SIMPLE  =".ljust(2000), bytes(2880)])
def test_damaged_product_is_not_done(content: bytes, tmp_path: Path) -> None:
    finish(tmp_path, "a")
    product = layout.result(tmp_path, "align_psfs", "a")
    product.write_bytes(content)
    (state,) = write_page(tmp_path, "a")
    assert state.state is State.FAILED
    assert state.failure is not None
    assert state.failure.error == f"{product}: is damaged; run the workflow again"


@pytest.mark.bad_input(60)
def test_control_characters_and_html_are_shown(tmp_path: Path) -> None:
    finish(tmp_path, "a", reason="<b>x</b>\x1b[2J")
    write_page(tmp_path, "a")
    page = (tmp_path / "report/campaign.html").read_text()
    assert r"&lt;b&gt;x&lt;/b&gt;\x1b[2J" in page
    assert "\x1b" not in page
