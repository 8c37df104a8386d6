"""
The page of a campaign in which no two numbers are the same: every cell is compared.

What stands in the wrong column, is counted of the wrong thing, or is a median where the longest is
promised has another number. In the browser, the page fits its window and its headings sort.
"""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import needs_chromium, opened, started_browser
from playwright.sync_api import Browser

from psfalign.report.campaign import campaign_page, closing_lines
from psfalign.report.reasons import REASONS
from psfalign.report.states import ExposureState, State, StepRun, as_json

LONG = "jw01386002001_0310a_00001-seg001_nrcalong_a3001"
LINKS = {"images": f"{LONG}/{LONG}_images.png", "table of shifts": f"{LONG}/{LONG}_table.html"}
PAIR = {"integration": 1, "psf": 17, "dx": 0.1111, "dy": -0.2222, "closure": 0.3333}
DONE = {
    "shape": [21, 22, 288, 224],
    "psfs": [f"psf_{n}" for n in range(1, 9)],
    "psfmask": "mask_of_a.fits",
    "reason": "FILTER=F335M",
    "convention": "weight",
    "decided_by": "values",
    "notes": ["first note", "second note"],
    "pairs": 462,
    "failed": {"bad_psf": 2, "no_convergence": 3},
    "suspicious": 6,
    "doubtful": 7,
    "medians": {
        "shift": 0.51239,
        "uncertainty": 0.001238,
        "closure": 0.98765,
        "misfit": 0.02346,
        "chi2": 4.5678,
    },
    "gain": 8.764,
    "n_look_at": 18,
    "look_at": [PAIR | {"why": "bad_psf"}, PAIR | {"psf": 19, "dx": None, "why": "doubtful"}],
    "versions": {"numpy": "2.1", "psfalign": "0.2"},
}
OTHER = DONE | {
    "shape": [31, 32, 320, 321],
    "psfs": ["stack"],
    "psfmask": "mask_of_b.fits",
    "reason": "named",
    "convention": "",
    "decided_by": "",
    "notes": [],
    "pairs": 992,
    "failed": {},
    "suspicious": 0,
    "doubtful": 0,
    "medians": dict.fromkeys(DONE["medians"]),
    "gain": None,
    "n_look_at": 0,
    "look_at": [],
    "versions": {"numpy": "2.2", "psfalign": "0.2"},
}
CLEAN = StepRun("clean_psfs", "c.log", 40.0, 410, "", 16.5)  # of the stack, which serves both
STATES = [
    ExposureState(
        "c", State.FAILED, [CLEAN, StepRun("fit_shifts", "f.log", error="c.fits: is <empty>")]
    ),
    ExposureState("d", State.NOT_STARTED),
    ExposureState(
        LONG,
        State.DONE,
        [
            CLEAN,
            StepRun("fit_shifts", "a", 1.25, 310, "", 0.71),
            StepRun("align_psfs", "b", 50.5, 520, "", 48.03),
        ],
        DONE,
    ),
    ExposureState(
        "b",
        State.DONE,
        [
            CLEAN,
            StepRun("fit_shifts", "g", 9.0, 301, "", 8.2),
            StepRun("fit_shifts", "h", 2.0, 305, "", 1.9),
        ],
        OTHER,
    ),
]
NONE = "–"
TABLES = {
    "exposures": [
        [
            *("exposure", "state", "look at", "pairs", "failed fits", "suspicious", "doubtful"),
            *("median shift (pix)", "its uncertainty (pix)", "misfit", "chi2", "residual ÷"),
            *("time (s)", "CPU (s)", "memory (MB)"),
        ],
        ["c", "failed", *[NONE] * 13],
        ["d", "not started", *[NONE] * 13],
        [
            *(LONG, "done", "images · table of shifts", "462", "5", "6", "7"),
            *("0.5124", "0.00124", "0.0235", "4.57", "8.76", "51.8", "48.7", "520"),
        ],
        ["b", "done", NONE, "992", "0", "0", "0", *[NONE] * 5, "11.0", "10.1", "305"],
    ],
    "failures": [["exposure", "step", "error"], ["c", "fit_shifts", "c.fits: is <empty>"]],
    "pairs": [
        ["exposure", "integration", "psf", "dx (pix)", "dy (pix)", "closure (pix)", "why"],
        [LONG, "1", "17", "0.1111", "-0.2222", "0.3333", "bad_psf"],
        [LONG, "1", "19", NONE, "-0.2222", "0.3333", "doubtful"],
    ],
    "inputs": [
        ["exposure", "integrations", "psfs", "rows × columns", "psf exposures"],
        [LONG, "21", "22", "288 × 224", "psf_1, psf_2, psf_3, psf_4, psf_5, psf_6 and 2 more"],
        ["b", "31", "32", "320 × 321", "stack"],
    ],
    "masks": [
        ["exposure", "mask", "why", "1 means", "decided by", "notes"],
        [LONG, "mask_of_a.fits", "FILTER=F335M", "weight", "values", "first note; second note"],
        ["b", "mask_of_b.fits", "named", NONE, NONE, NONE],
    ],
    "durations": [
        [
            *("step", "jobs", "median (s)", "longest (s)", "total (s)"),
            *("CPU, total (s)", "largest memory (MB)"),
        ],
        ["clean_psfs", "1", "40.0", "40.0", "40.0", "16.5", "410"],
        ["fit_shifts", "3", "2.0", "9.0", "12.2", "10.8", "310"],
        ["align_psfs", "1", "50.5", "50.5", "50.5", "48.0", "520"],
    ],
}
COUNT = (
    "4 exposures: 1 failed, 1 not started, 2 done. 1454 pairs of integration and psf image: "
    "5 fits failed, 6 suspicious, 7 doubtful."
)


def page_of(states: list[ExposureState]) -> str:
    return campaign_page(states, {}, {LONG: LINKS}).decode()


def text(part: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", part)).strip()


def read_tables(page: str) -> dict[str, list[list[str]]]:
    return {
        name: [
            [text(cell) for cell in re.findall(r"<t[hd]\b.*?</t[hd]>", row, re.DOTALL)]
            for row in re.findall(r"<tr>.*?</tr>", content, re.DOTALL)
        ]
        for name, content in re.findall(r'<table id="(\w+)"(.*?)</table>', page, re.DOTALL)
    }


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_of_every_table(name: str) -> None:
    assert read_tables(page_of(STATES))[name] == TABLES[name]


def test_there_is_no_other_table() -> None:
    assert list(read_tables(page_of(STATES))) == list(TABLES)


def test_sentences_of_the_page() -> None:
    paragraphs = [text(p) for p in re.findall(r"<p\b.*?</p>", page_of(STATES), re.DOTALL)]
    notes = [p for p in paragraphs if p.startswith("There is one row for each exposure")]
    assert [p for p in paragraphs if p not in notes] == [
        COUNT,
        # 16.5 of the stack, 0.71 + 48.03 + 8.2 + 1.9 of the exposures.
        "All steps together: 75.3 CPU seconds, at most 520 MB in one of them.",
        "2 of 18; the tables of shifts have all",
        "Several versions of software made these results, by number of exposures: "
        "numpy 2.1 (1), 2.2 (1).",
    ]
    assert len(notes) == 1
    facts = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page_of(STATES))
    reasons = [(word, REASONS[word]) for word in ("bad_psf", "doubtful")]
    assert facts == [*reasons, ("numpy", "2.1, 2.2"), ("psfalign", "0.2")]


def test_what_is_not_there_has_no_section() -> None:
    """Headings without a table would make somebody look for what is missing."""
    page = page_of([ExposureState("d", State.NOT_STARTED)])
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["Failed, suspicious and doubtful pairs"]
    assert "<p>None.</p>" in page
    assert list(read_tables(page)) == ["exposures"]


def test_costs_that_no_log_tells_are_left_open() -> None:
    """As those of an earlier version, whose logs tell no CPU seconds, or where no memory is known."""
    page = page_of([ExposureState("a", State.DONE, [StepRun("fit_shifts", "a", 1.5, 0)], OTHER)])
    assert "All steps together" not in page
    tables = read_tables(page)
    assert tables["exposures"][1][-3:] == ["1.5", NONE, NONE]
    assert tables["durations"][1] == ["fit_shifts", "1", "1.5", "1.5", "1.5", NONE, NONE]


def test_costs_are_in_the_states_for_machines() -> None:
    content = json.loads(as_json(STATES))
    assert content["campaign"] == {"cpu_seconds": 75.34, "megabytes": 520}
    keys = ("name", "state", "cpu_seconds", "megabytes")
    assert [tuple(entry[key] for key in keys) for entry in content["exposures"]] == [
        ("c", "failed", 0.0, 0),
        ("d", "not started", 0.0, 0),
        (LONG, "done", 48.74, 520),
        ("b", "done", 10.1, 305),
    ]


def test_links_lead_to_the_pages_of_their_exposure() -> None:
    assert re.findall(r'<a href="(.*?)">(.*?)</a>', page_of(STATES)) == [
        (path, words) for words, path in LINKS.items()
    ]


def test_every_number_of_the_closing_lines(tmp_path: Path) -> None:
    """They are also what `psfalign summary` prints."""
    assert closing_lines(tmp_path, STATES)[:-3] == [
        "",
        COUNT,
        f"  {'c':47}  FAILED in fit_shifts: c.fits: is <empty>",
        f"  {'d':47}  not started",
        f"  {LONG}  462 pairs, shift 0.512 ± 0.0012 pix, residual ÷ 8.76, 5 failed, 6 suspicious, "
        "7 doubtful, 51.8 s",
        f"  {'b':47}  992 pairs, shift – ± – pix, residual ÷ –, 0 failed, 11.0 s",
    ]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "campaign.html"
    path.write_text(page_of(STATES), encoding="utf-8")
    return path


@needs_chromium
@pytest.mark.parametrize("width", [1280, 390])
def test_page_fits_its_window_and_tables_scroll(
    width: int, browser: Browser, written: Path
) -> None:
    with opened(browser, written, width=width) as page:
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        scrolls = page.locator("#exposures").evaluate(
            "table => table.parentNode.scrollWidth > table.parentNode.clientWidth"
            " && getComputedStyle(table.parentNode).overflowX"
        )
        # Its names and numbers alone are wider than both windows.
        assert scrolls == "auto"


def shown(page: object, column: str) -> list[str]:
    place = TABLES["exposures"][0].index(column) + 1
    return page.locator(f"#exposures tbody td:nth-child({place})").all_inner_texts()


@needs_chromium
@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_headings_sort_by_keyboard(key: str, browser: Browser, written: Path) -> None:
    with opened(browser, written) as page:
        heading = page.get_by_role("columnheader", name="time (s)")
        # From the table, which scrolls by keys, the headings are one key of the tabulator apart.
        page.locator("div.scroll").first.focus()
        heads = TABLES["exposures"][0]
        for _ in heads[: heads.index("time (s)") + 1]:
            page.keyboard.press("Tab")
        for order, times in (
            ("ascending", ["11.0", "51.8", NONE, NONE]),
            ("descending", ["51.8", "11.0", NONE, NONE]),
        ):
            page.keyboard.press(key)
            assert heading.get_attribute("aria-sort") == order
            assert shown(page, "time (s)") == times


@needs_chromium
def test_headings_sort_by_mouse_and_numbers_by_value(browser: Browser, tmp_path: Path) -> None:
    values = [0.5, -0.25, 0.12, 1234567.0, None]
    states = [
        ExposureState(name, State.DONE, [], OTHER | {"medians": {**DONE["medians"], "chi2": chi2}})
        for name, chi2 in zip("edcab", values, strict=True)
    ]
    (tmp_path / "page.html").write_text(page_of(states), encoding="utf-8")
    with opened(browser, tmp_path / "page.html") as page:
        page.get_by_role("button", name="chi2").click()
        assert shown(page, "chi2") == ["-0.25", "0.12", "0.5", "1.23e+06", NONE]
        page.get_by_role("button", name="chi2").click()
        assert shown(page, "chi2") == ["1.23e+06", "0.5", "0.12", "-0.25", NONE]
        page.get_by_role("button", name="exposure").first.click()
        assert shown(page, "exposure") == list("abcde")
        assert page.locator("#exposures [aria-sort]").count() == 1
