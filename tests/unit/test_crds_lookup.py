"""CRDS as the source of masks: it chooses as the catalogue does, and fails in one line."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from astropy.io import fits
from crds_cache import (
    CONTEXT,
    IMAP,
    RMAP,
    ROW,
    Rows,
    write_cache,
    write_case,
    write_context,
    write_rules,
    write_server_config,
)
from files import SELECTORS as WANTED
from files import SHAPE, digest, digests, write_exposure, write_psfs
from forks import BELOW_CRDS, run_module

from psfalign.campaign import crds
from psfalign.campaign.checks import check_campaign, choose_masks
from psfalign.campaign.configuration import complete_config
from psfalign.campaign.crds import CrdsChoice
from psfalign.campaign.exposures import plan_exposures
from psfalign.campaign.facts import FactsStore
from psfalign.errors import ConfigError, InputError, MaskError, PsfalignError
from psfalign.files.selectors import read_selectors
from psfalign.psfmask.catalogue import Catalogue, MaskEntry, parse_useafter, select
from psfalign.psfmask.resolved import ResolvedMask
from psfalign.steps.resolve import resolve_psfmask

for package in ("crds", "stdatamodels"):
    pytest.importorskip(package, reason="CRDS look-ups need the extra: pip install psfalign[crds]")

START = "2023-06-01T12:00:00.500"
F, C, S = ROW
EARLY, LATE, FUTURE = "2020-01-01 00:00:00", "2023-01-01 00:00:00", "2024-01-01 00:00:00"
NAME = "sci_a3001"
FETCH = f"fetch it: crds sync --contexts {CONTEXT}"


def only(useafter: str, **row: str) -> Rows:
    return {(row.get("F", F), row.get("C", C), row.get("S", S)): {useafter: "a.fits"}}


def two(first: Rows, **row: str) -> Rows:
    """Two rows: a.fits as given, and b.fits."""
    useafter = row.pop("useafter", EARLY)
    return {**first, (row.get("F", F), row.get("C", C), row.get("S", S)): {useafter: "b.fits"}}


# Rows, what differs in the exposure, and what is to be chosen.
CASES: dict[str, tuple[Rows, dict[str, str], str]] = {
    "the only one": (only(EARLY), {}, "a.fits"),
    "the latest": ({ROW: {EARLY: "a.fits", LATE: "b.fits"}}, {}, "b.fits"),
    "not one of the future": ({ROW: {EARLY: "a.fits", FUTURE: "b.fits"}}, {}, "a.fits"),
    "equal to the second": (
        {ROW: {EARLY: "a.fits", "2023-06-01 12:00:00": "b.fits"}},
        {"start": "2023-06-01T12:00:00.000"},
        "b.fits",
    ),
    "half a second late": (
        {ROW: {EARLY: "a.fits", "2023-06-01 12:00:01": "b.fits"}},
        {},
        "a.fits",
    ),
    "half a second early": (
        {ROW: {EARLY: "a.fits", "2023-06-01 12:00:00": "b.fits"}},
        {},
        "b.fits",
    ),
    "before all dates": (only(FUTURE), {}, ""),
    "another filter": (only(EARLY, F="F444W"), {}, ""),
    "a filter is not a prefix": (only(EARLY, F="F335"), {}, ""),
    "alternatives, first": (only(EARLY, F="F335M|F444W"), {}, "a.fits"),
    "alternatives, last": (only(EARLY, F="F250M|F335M"), {}, "a.fits"),
    "alternatives, neither": (only(EARLY, F="F250M|F444W"), {}, ""),
    "star": (only(EARLY, S="*"), {}, "a.fits"),
    "ANY": (only(EARLY, S="ANY"), {}, "a.fits"),
    "N/A": (only(EARLY, S="N/A"), {}, "a.fits"),
    "N/A beside another value": (two(only(EARLY, S="N/A"), S="FULL"), {}, "a.fits"),
    "star beside another value": (two(only(EARLY, S="*"), S="FULL"), {}, "a.fits"),
    "specific before N/A, though older": (two(only(LATE, F="N/A")), {}, "b.fits"),
    "alternatives before N/A, though older": (two(only(LATE, F="N/A"), F="F335M|X"), {}, "b.fits"),
    "star before N/A, though older": (two(only(LATE, F="N/A"), F="*"), {}, "b.fits"),
    "the later of specific and star": (two(only(LATE), F="*"), {}, "a.fits"),
    "the later of one value and several": (two(only(LATE), F="F335M|F444W"), {}, "a.fits"),
    "specific but of the future: the general one": (
        two(only(EARLY, F="N/A"), useafter=FUTURE),
        {},
        "a.fits",
    ),
    "N/A of the exposure": (only(EARLY, S="FULL"), {"SUBARRAY": "N/A"}, "a.fits"),
    "ANY of the exposure": (only(EARLY, S="FULL"), {"SUBARRAY": "ANY"}, "a.fits"),
    "ANY of the exposure, value before N/A": (
        two(only(LATE, S="N/A"), S="FULL"),
        {"SUBARRAY": "ANY"},
        "b.fits",
    ),
    "N/A of the exposure, the later": (
        two(only(LATE, S="N/A"), S="FULL"),
        {"SUBARRAY": "N/A"},
        "a.fits",
    ),
}


def by_catalogue(rows: Rows, wanted: dict[str, str], start: str) -> str:
    """What files with these rows in their headers would give."""
    entries = []
    for row, files in rows.items():
        cards = {"INSTRUME": "NIRCAM", **dict(zip(list(WANTED)[1:], row, strict=True))}
        for useafter, name in files.items() if isinstance(files, dict) else ():
            selectors = read_selectors(fits.Header(cards))
            entries.append(
                MaskEntry(Path(name), selectors, parse_useafter(useafter, Path(name)), SHAPE)
            )
    try:
        return select(
            Catalogue(entries), wanted, datetime.fromisoformat(start), Path("sci.fits")
        ).entry.path.name
    except MaskError:
        return ""


@pytest.fixture(scope="module")
def by_crds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What CRDS chooses in each case, all asked in one process."""
    cache = write_cache(tmp_path_factory.mktemp("cache"), {}, references=False)
    questions = []
    for number, (rows, differing, _) in enumerate((CASES | GENERAL).values(), start=1000):
        questions.append((write_case(cache, number, rows), _header(differing), "sci.fits"))
    result = subprocess.run(
        [sys.executable, "-P", "-c", ASK_ALL],
        input=json.dumps(questions),
        env=crds.environment(cache, CONTEXT),
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(CASES | GENERAL, json.loads(result.stdout.splitlines()[-1]), strict=True))


ASK_ALL = """
import json, sys
from pathlib import Path
from psfalign.psfmask.crds_process import look_up
from psfalign.errors import MaskError

def name(question):
    try:
        return Path(look_up(*question)["reference"]).name
    except MaskError:
        return ""

print(json.dumps([name(question) for question in json.load(sys.stdin)]))
"""


# For CRDS a star agrees as well as a value does; the catalogue prefers the specific one.
GENERAL = {
    "the later of star and specific": (two(only(LATE, F="*")), {}, "a.fits"),
    "the later of ANY and specific": (two(only(LATE, F="ANY")), {}, "a.fits"),
}


def _header(differing: dict[str, str]) -> dict[str, str]:
    date, time = differing.get("start", START).split("T")
    selectors = {key: differing.get(key, value) for key, value in WANTED.items()}
    return {**selectors, "DATE-OBS": date, "TIME-OBS": time}


@pytest.mark.parametrize("name", CASES)
def test_catalogue_and_crds_choose_alike(name: str, by_crds: dict[str, str]) -> None:
    rows, differing, expected = CASES[name]
    wanted = {key: differing.get(key, value) for key, value in WANTED.items()}
    assert by_crds[name] == expected
    assert by_catalogue(rows, wanted, differing.get("start", START)) == expected


@pytest.mark.parametrize("name", GENERAL)
def test_newer_general_row_hides_a_specific_one_from_crds_alone(
    name: str, by_crds: dict[str, str]
) -> None:
    rows, _, expected = GENERAL[name]
    assert by_crds[name] == expected
    assert by_catalogue(rows, WANTED, START) == "b.fits"


PYTHON = sys.executable


@pytest.fixture(autouse=True)
def crds_starts_in_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What crds stands on takes a second to import; crds itself is imported each time."""

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if command[:3] != [PYTHON, "-P", "-m"]:
            return subprocess.run(command, check=options.pop("check"), **options)
        given = {"text": options["input"], "env": options["env"], "preloaded": BELOW_CRDS}
        return run_module(command[3], [], folder=Path.cwd(), **given)

    monkeypatch.setattr(crds, "subprocess", SimpleNamespace(run=run))


class Campaign:
    """An exposure, psf images, a cache and the facts of them."""

    def __init__(self, folder: Path, rows: Rows, **cards: Any) -> None:
        self.folder = folder
        self.cache = write_cache(folder / "cache", rows)
        self.science = write_exposure(folder / "sci_calints.fits", **cards)
        self.config: dict[str, Any] = {
            "output_dir": str(folder / "results"),
            "exposures": [
                {
                    "science": str(self.science),
                    "psfs": str(write_psfs(folder / "star_psfstack.fits")),
                    "asn_id": "a3001",
                }
            ],
            "psfmask": {"crds": {"context": CONTEXT, "path": str(self.cache)}},
        }

    def mapping(self, name: str) -> Path:
        return self.cache / "mappings/jwst" / name

    def choose(self) -> tuple[dict[str, CrdsChoice], list[PsfalignError]]:
        config = complete_config(self.config)
        facts = FactsStore(self.folder / "facts.json")
        choices, errors = crds.choose_with_crds(config, plan_exposures(config), facts)
        facts.save()
        return choices, errors

    def error(self) -> PsfalignError:
        choices, errors = self.choose()
        assert choices == {}
        (error,) = errors
        assert "\n" not in str(error)
        return error


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign(tmp_path, only(EARLY))


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many exposures crds was really asked about, each time."""
    found: list[int] = []
    original = crds.ask

    def counted(requests: list[Any], *arguments: Any) -> Any:
        found.append(len(requests))
        return original(requests, *arguments)

    monkeypatch.setattr(crds, "ask", counted)
    return found


def test_choice_is_a_file_of_the_cache_and_the_cache_stays_as_it_is(campaign: Campaign) -> None:
    before = digests(campaign.folder)
    folders = sorted(p for p in campaign.cache.rglob("*") if p.is_dir())
    choices, errors = campaign.choose()
    mask = campaign.cache / "references/jwst/nircam/a.fits"
    assert errors == []
    assert choices == {NAME: CrdsChoice(str(mask), CONTEXT, RMAP)}
    (campaign.folder / "facts.json").unlink()
    assert digests(campaign.folder) == before
    assert sorted(p for p in campaign.cache.rglob("*") if p.is_dir()) == folders


def test_flat_cache(campaign: Campaign) -> None:
    (campaign.cache / "config/jwst/ref_cache_subdir_mode").write_text("flat")
    folder = campaign.cache / "references/jwst"
    (folder / "nircam/a.fits").rename(folder / "a.fits")
    choices, _ = campaign.choose()
    assert choices[NAME].psfmask == str(folder / "a.fits")


def test_relative_path_of_the_cache_stays_relative(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(campaign.folder)
    campaign.config["psfmask"]["crds"]["path"] = "cache"
    choices, errors = campaign.choose()
    assert errors == []
    assert choices[NAME].psfmask == "cache/references/jwst/nircam/a.fits"


def test_environment_and_folder_of_the_caller_do_not_matter(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    (campaign.folder / "here").mkdir()
    (campaign.folder / "here" / "selectors.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(campaign.folder / "here")
    for name in ("CRDS_PATH", "CRDS_PATH_SINGLE", "CRDS_CFGPATH", "CRDS_MAPPATH", "CRDS_REFPATH"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("CRDS_SERVER_URL", "https://jwst-crds.stsci.edu")
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_9999.pmap")
    monkeypatch.setenv("CRDS_MODE", "remote")
    choices, errors = campaign.choose()
    assert errors == []
    assert choices[NAME].context == CONTEXT
    assert os.environ["CRDS_CONTEXT"] == "jwst_9999.pmap"


def test_crds_is_asked_once(campaign: Campaign, starts: list[int]) -> None:
    first, _ = campaign.choose()
    second, _ = campaign.choose()
    assert first == second
    assert starts == [1]


def _touch_mapping(campaign: Campaign) -> None:
    campaign.mapping(RMAP).touch()


def _change_other_rule(campaign: Campaign) -> None:
    write_rules(campaign.cache, {**only(EARLY), ("F444W", C, S): {EARLY: "c.fits"}})


def _change_science(campaign: Campaign) -> None:
    write_exposure(campaign.science, TIME_OBS="13:00:00.000")


def _change_pixels(campaign: Campaign) -> None:
    write_exposure(campaign.science, dq=None, TITLE="other words")


def _change_server_config(campaign: Campaign) -> None:
    write_server_config(campaign.cache, last_synced="today")


def _change_context(campaign: Campaign) -> None:
    write_context(campaign.cache, "jwst_0002.pmap")
    campaign.config["psfmask"]["crds"]["context"] = "jwst_0002.pmap"


def _name_a_mask(campaign: Campaign) -> None:
    campaign.config["exposures"][0]["psfmask"] = "N/A"


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        (_touch_mapping, [1]),
        (_change_other_rule, [1, 1]),
        (_change_science, [1, 1]),
        (_change_pixels, [1]),
        (_change_server_config, [1, 1]),
        (_change_context, [1, 1]),
        (_name_a_mask, [1]),
    ],
)
def test_crds_is_asked_again_only_where_it_could_answer_otherwise(
    change: Callable[[Campaign], None], asked: list[int], campaign: Campaign, starts: list[int]
) -> None:
    campaign.choose()
    change(campaign)
    campaign.choose()
    assert starts == asked


def test_other_code_asks_again(
    campaign: Campaign, starts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign.choose()
    monkeypatch.setattr(crds, "code_digest", lambda path: f"another {path.name}")
    campaign.choose()
    assert starts == [1, 1]


def test_edited_rules_change_the_choice(campaign: Campaign) -> None:
    campaign.choose()
    write_cache(campaign.cache, {ROW: {EARLY: "a.fits", LATE: "b.fits"}})
    choices, _ = campaign.choose()
    assert Path(choices[NAME].psfmask).name == "b.fits"


def test_mistakes_are_not_remembered(campaign: Campaign, starts: list[int]) -> None:
    rules = campaign.mapping(RMAP)
    content = rules.read_bytes()
    rules.unlink()
    campaign.error()
    rules.write_bytes(content)
    choices, errors = campaign.choose()
    assert errors == []
    assert set(choices) == {NAME}
    assert starts == [1, 1]


@pytest.mark.parametrize("how", ["row", "useafter"])
def test_result_that_is_not_applicable_skips_the_exposure(how: str, tmp_path: Path) -> None:
    files: Any = "N/A" if how == "row" else {EARLY: "N/A"}
    campaign = Campaign(tmp_path, {})
    write_rules(campaign.cache, {ROW: files})
    choices, errors = campaign.choose()
    assert errors == []
    assert choices == {NAME: CrdsChoice("N/A", CONTEXT, RMAP)}
    config = complete_config(campaign.config)
    exposures = plan_exposures(config)
    masks, errors = choose_masks(config, exposures, FactsStore(tmp_path / "f"), chosen=choices)
    assert (masks, errors) == ({NAME: []}, [])


def test_instrument_that_is_not_applicable(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, only(EARLY), INSTRUME="NIRSPEC")
    choices, errors = campaign.choose()
    assert errors == []
    assert choices == {NAME: CrdsChoice("N/A", CONTEXT, CONTEXT)}


def _no_folder(campaign: Campaign) -> str:
    path = campaign.folder / "nothing"
    campaign.config["psfmask"]["crds"]["path"] = str(path)
    return (
        f"psfmask.crds.path={path}: is not a CRDS cache: it has no folder mappings/jwst; "
        "name the folder that CRDS_PATH names for crds"
    )


def _unknown_context(campaign: Campaign) -> str:
    campaign.config["psfmask"]["crds"]["context"] = "jwst_9999.pmap"
    return (
        f"psfmask.crds.context=jwst_9999.pmap: is not in the cache {campaign.cache}, which has "
        f"{CONTEXT}; name another, or fetch it: crds sync --contexts jwst_9999.pmap"
    )


def _no_server_config(campaign: Campaign) -> str:
    path = campaign.cache / "config/jwst/server_config"
    path.unlink()
    return f"{path}: no such file; crds does not work offline without it; {FETCH}"


def _damaged_server_config(campaign: Campaign) -> str:
    path = campaign.cache / "config/jwst/server_config"
    path.write_text("{")
    return f"{path}: crds cannot read it; {FETCH}"


def _no_imap(campaign: Campaign) -> str:
    campaign.mapping(IMAP).unlink()
    return f"{campaign.mapping(IMAP)}: no such file; {FETCH}"


def _no_rmap(campaign: Campaign) -> str:
    campaign.mapping(RMAP).unlink()
    return f"{campaign.mapping(RMAP)}: no such file; {FETCH}"


def _edited(name: str) -> Callable[[Campaign], str]:
    def edit(campaign: Campaign) -> str:
        path = campaign.mapping(name)
        path.write_text(path.read_text() + "\n# edited\n")
        problem = "its sha1sum is not that of its content; it was edited or damaged"
        return f"{path}: {problem}; {FETCH}"

    return edit


def _reference_is_absent(campaign: Campaign) -> str:
    path = campaign.cache / "references/jwst/nircam/a.fits"
    path.unlink()
    return (
        f"{path}: CRDS {CONTEXT}, {RMAP} chose it, but it is not in the cache; "
        "fetch it: crds sync --files a.fits"
    )


def _no_match(campaign: Campaign) -> str:
    write_rules(campaign.cache, only(EARLY, F="F444W"))
    return (
        f"{campaign.science}: CRDS {CONTEXT}, {RMAP} has no mask for INSTRUME=NIRCAM, FILTER=F335M, "
        "CORONMSK=MASKA335R, SUBARRAY=SUB320A335R, DATE-OBS=2023-06-01, TIME-OBS=12:00:00: "
        "parameter='META.INSTRUMENT.FILTER' value='F335M' is not in ['F444W']; "
        "name a psfmask for the exposure"
    )


def _before_all_dates(campaign: Campaign) -> str:
    write_rules(campaign.cache, only(FUTURE))
    return (
        f"{campaign.science}: CRDS {CONTEXT}, {RMAP} has no mask for INSTRUME=NIRCAM, FILTER=F335M, "
        "CORONMSK=MASKA335R, SUBARRAY=SUB320A335R, DATE-OBS=2023-06-01, TIME-OBS=12:00:00: "
        "its masks serve later exposures only; name a psfmask for the exposure"
    )


def _unknown_instrument(campaign: Campaign) -> str:
    write_exposure(campaign.science, INSTRUME="FGS")
    return (
        f"{campaign.science}: CRDS {CONTEXT} has no psf masks for FGS; "
        "name a psfmask for the exposure"
    )


def _selector_is_missing(campaign: Campaign) -> str:
    write_exposure(campaign.science, CORONMSK=None)
    return (
        f"{campaign.science} CORONMSK: missing or blank; "
        "calibrate the exposure again, or name a psfmask for it"
    )


def _start_is_missing(campaign: Campaign) -> str:
    write_exposure(campaign.science, DATE_OBS=None)
    return (
        f"{campaign.science} DATE-OBS, TIME-OBS: missing or blank; "
        "calibrate the exposure again, or name a psfmask for it"
    )


def _bad_reference(campaign: Campaign) -> str:
    write_server_config(campaign.cache, bad_files_list=["a.fits"])
    return (
        f"{campaign.science}: CRDS {CONTEXT} chooses by or gives a.fits, which it calls "
        "scientifically invalid; configure another psfmask.crds.context, or name a psfmask for "
        "the exposure"
    )


FAILURES: dict[str, tuple[Callable[[Campaign], str], type[PsfalignError]]] = {
    "no folder": (_no_folder, ConfigError),
    "unknown context": (_unknown_context, ConfigError),
    "no server_config": (_no_server_config, InputError),
    "damaged server_config": (_damaged_server_config, InputError),
    "no imap": (_no_imap, InputError),
    "no rmap": (_no_rmap, InputError),
    "edited pmap": (_edited(CONTEXT), InputError),
    "edited imap": (_edited(IMAP), InputError),
    "edited rmap": (_edited(RMAP), InputError),
    "reference is absent": (_reference_is_absent, InputError),
    "no match": (_no_match, MaskError),
    "before all dates": (_before_all_dates, MaskError),
    "unknown instrument": (_unknown_instrument, MaskError),
    "selector is missing": (_selector_is_missing, InputError),
    "start is missing": (_start_is_missing, InputError),
    "bad reference": (_bad_reference, MaskError),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failure_is_one_line(name: str, campaign: Campaign) -> None:
    break_something, kind = FAILURES[name]
    message = break_something(campaign)
    error = campaign.error()
    assert str(error) == message
    assert type(error) is kind


def test_failure_appears_after_an_answer_was_remembered(campaign: Campaign) -> None:
    campaign.choose()
    message = _edited(RMAP)(campaign)
    assert str(campaign.error()) == message


def test_crds_that_cannot_start(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crds, "LIBRARY", campaign.folder)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(crds.sys, "executable", "/bin/false")
    message = (
        f"{campaign.cache} psfmask.crds.path: crds ended with 1: no message; "
        "check the installation of crds and stdatamodels, and the cache"
    )
    assert str(campaign.error()) == message


def test_library_is_not_installed(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crds, "PACKAGES", ("crds", "no-such-package"))
    monkeypatch.setattr(crds.sys, "executable", "/usr/bin/python3")
    message = (
        "psfmask.crds: needs the package no-such-package, which is not installed; "
        "run /usr/bin/python3 -m pip install crds no-such-package"
    )
    assert str(campaign.error()) == message


def test_demo_has_masks_of_its_own(campaign: Campaign) -> None:
    config = complete_config(campaign.config)
    facts = FactsStore(campaign.folder / "f", made_first=[str(campaign.science)])
    choices, errors = crds.choose_with_crds(config, plan_exposures(config), facts)
    assert choices == {}
    assert [str(error) for error in errors] == [
        f"{campaign.science}: CRDS has no mask for the exposures of the demo; "
        "name psfmask.references instead of psfmask.crds"
    ]


def test_without_crds_nothing_is_asked(campaign: Campaign, starts: list[int]) -> None:
    campaign.config["psfmask"] = {}
    assert campaign.choose() == ({}, [])
    assert starts == []


def test_chosen_file_is_checked_like_one_that_was_named(campaign: Campaign) -> None:
    write_exposure(campaign.cache / "references/jwst/nircam/a.fits", FILTER="F335M")
    config = complete_config(campaign.config)
    exposures, facts = plan_exposures(config), FactsStore(campaign.folder / "f")
    choices, _ = campaign.choose()
    masks, _ = choose_masks(config, exposures, facts, chosen=choices)
    (error,) = check_campaign(config, exposures, masks, facts)
    assert str(error).startswith(f"{campaign.cache}/references/jwst/nircam/a.fits")


def test_psfmask_json_says_what_crds_chose(campaign: Campaign) -> None:
    choices, _ = campaign.choose()
    choice, output = choices[NAME], campaign.folder / "m.json"
    resolve_psfmask(campaign.science, output, psfmask=choice.psfmask, crds=choice.reason)
    resolved = ResolvedMask.read(output)
    assert resolved.psfmask == choice.psfmask
    assert resolved.sha256 == digest(campaign.cache / "references/jwst/nircam/a.fits")
    assert resolved.reason == f"CRDS {CONTEXT}, {RMAP}"
    assert resolved.source == "crds"
    assert resolved.reference_name == "crds://a.fits"


def test_psfmask_json_of_an_exposure_that_crds_skips(tmp_path: Path) -> None:
    resolved = resolve_psfmask(
        tmp_path / "unread.fits", tmp_path / "m.json", psfmask="N/A", crds=f"CRDS {CONTEXT}, {RMAP}"
    )
    assert resolved.reason == f"CRDS {CONTEXT}, {RMAP}: not applicable"
    assert (resolved.source, resolved.reference_name) == ("crds", "N/A")
