"""A configuration is complete and means what it says, or is refused in one line."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
from files import refused

from psfalign.campaign.configuration import complete_config
from psfalign.campaign.settings import PixelCircle, Settings, SkyCircle, config_schema
from psfalign.errors import ConfigError

FILE = "my.yaml"
CRDS = {"context": "jwst_1413.pmap", "path": "crds_cache"}
PIXELS = {"column": 3, "row": 4.5, "radius": 2}
SKY = {"separation": 1.1, "position_angle": 200, "radius": 0.3}
EXPOSURE = {"science": "a_calints.fits", "psfs": "b_psfstack.fits", "asn_id": "a3001"}


def valid(**sections: Any) -> dict[str, Any]:
    return {"exposures": [copy.deepcopy(EXPOSURE)], **sections}


def with_exposure(**entries: Any) -> dict[str, Any]:
    merged = {**EXPOSURE, **entries}
    return {"exposures": [{k: v for k, v in merged.items() if v is not None}]}


def with_circles(*circles: dict[str, float]) -> dict[str, Any]:
    return valid(align_refs={"exclude": [*circles]})


def test_defaults_are_those_of_the_schema_and_the_input_is_not_modified() -> None:
    config = valid(align_refs={"max_shift": 5})
    before = copy.deepcopy(config)
    completed = complete_config(config, FILE)
    assert config == before
    assert completed.as_dict() == {
        "output_dir": "results",
        "keep_intermediates": True,
        "figures": "all",
        "warm_start": True,
        "rerun_on_new_software": False,
        "associations": [],
        "exposures": [{**EXPOSURE, "exclude": []}],
        "psfmask": {"references": [], "convention": "auto"},
        "align_refs": {
            "median_box_length": 3,
            "bad_bits": "DO_NOT_USE",
            "align_to": "each",
            "method": "spectral",
            "max_shift": 5,
            "weighting": "mask",
            "background": "auto",
            "exclude": [],
            "padding": 0,
            "shifts": "pairwise",
            "errors": "variance",
            "on_failed_fit": "flag",
        },
        "psf_subtraction": {
            "method": "klip",
            "references": "stars",
            "modes": [1, 2, 5, 10, 20, 50],
            "region": "mask",
            "annuli": [],
            "star": "auto",
        },
    }


def test_every_level_of_the_schema_is_closed() -> None:
    def levels(schema: Any) -> Any:
        if schema.get("type") == "object":
            yield schema
        for part in [*schema.get("properties", {}).values(), schema.get("items")]:
            yield from levels(part) if part else ()

    found = list(levels(config_schema()))
    assert len(found) == 8
    assert all(level["additionalProperties"] is False for level in found)


REFUSED = {
    "item_03_unknown_key": (
        valid(ouput_dir="x"),
        "ouput_dir: unknown key; did you mean output_dir?",
    ),
    "item_03_unknown_key_deep": (
        valid(align_refs={"max_shfit": 1}),
        "align_refs.max_shfit: unknown key; did you mean max_shift?",
    ),
    "item_03_unknown_key_of_an_exposure": (
        with_exposure(colour="red"),
        "exposures[0].colour: unknown key; the keys are science, psfs, asn_id, psfmask, exclude",
    ),
    "item_03_key_is_a_number": (
        valid(x=0) | {1: 2},
        "x: unknown key; the keys are output_dir, keep_intermediates, figures, warm_start, rerun_on_new_software, associations, exposures, manifest, psfmask, align_refs, psf_subtraction",
    ),
    "item_05_text_for_integer": (
        valid(align_refs={"max_shift": "1e1"}),
        "align_refs.max_shift='1e1': is a string, expected an integer; write 10",
    ),
    "item_05_small_number_is_a_string": (
        valid(align_refs={"max_shift": "1e-8"}),
        "align_refs.max_shift='1e-8': is a string, expected an integer; write an integer",
    ),
    "item_05_float_for_integer": (
        valid(align_refs={"median_box_length": 3.0}),
        "align_refs.median_box_length=3.0: is a number, expected an integer; "
        "use 3 or more; a box of less than 2 has no neighbours",
    ),
    "item_05_fraction": (
        valid(align_refs={"max_shift": 2.5}),
        "align_refs.max_shift=2.5: is a number, expected an integer; write an integer",
    ),
    "item_05_infinity": (
        valid(align_refs={"max_shift": math.inf}),
        "align_refs.max_shift=inf: is a number, expected an integer; write an integer",
    ),
    "item_05_boolean_for_integer": (
        valid(align_refs={"max_shift": True}),
        "align_refs.max_shift=True: is a boolean, expected an integer; write an integer",
    ),
    "item_05_mapping_for_list": (
        {"exposures": {"one": EXPOSURE}},
        f"exposures={ {'one': EXPOSURE}!r}: is a mapping, expected a list; write a list",
    ),
    "item_05_null_for_list": (
        {"exposures": None},
        "exposures=null: is null, expected a list; write a list",
    ),
    "item_05_number_for_path": (
        with_exposure(psfs=3),
        "exposures[0].psfs=3: is an integer, expected a string or a list; write a string or a list",
    ),
    "item_05_list_in_list": (
        with_exposure(psfs=["a", ["b"]]),
        "exposures[0].psfs[1]=['b']: is a list, expected a string; write a string",
    ),
    "item_05_empty_text": (
        with_exposure(science=""),
        "exposures[0].science='': is empty; fill it in, or leave it out",
    ),
    "item_05_empty_list": (
        with_exposure(psfs=[]),
        "exposures[0].psfs=[]: is empty; fill it in, or leave it out",
    ),
    "item_05_unknown_word": (
        valid(align_refs={"align_to": "eech"}),
        "align_refs.align_to='eech': is not known; write each",
    ),
    "item_05_unknown_word_far_off": (
        valid(psfmask={"convention": 7}),
        "psfmask.convention=7: is not known; write auto or weight or exclude",
    ),
    "item_05_flux_of_null": (
        valid() | {"psf_subtraction": {"star_flux": None}},
        "psf_subtraction.star_flux=null: is null, expected a number; write a number",
    ),
    "item_05_negative_max_shift": (
        valid(align_refs={"max_shift": -1}),
        "align_refs.max_shift=-1: is less than 0; write 0 or more",
    ),
    "item_07_required_key_missing": (
        {"exposures": [EXPOSURE, EXPOSURE, {"psfs": "b.fits", "asn_id": "a1"}]},
        "exposures[2].science: is required; add it",
    ),
    "item_08_no_exposure": (
        {},
        "exposures: there is no exposure; list exposures or associations",
    ),
    "item_08_empty_lists": (
        {"exposures": [], "associations": []},
        "exposures: there is no exposure; list exposures or associations",
    ),
    "item_10_braces_in_output": (
        valid(output_dir="res{x}"),
        "output_dir='res{x}': Snakemake does not accept { } < > here; name a folder without them",
    ),
    "item_58_angle_brackets_in_output": (
        valid(output_dir="d<results>"),
        "output_dir='d<results>': Snakemake does not accept { } < > here; name a folder without them",
    ),
    "item_14_unknown_flag": (
        valid(align_refs={"bad_bits": "DO_NOT_USE, SATURATE"}),
        "align_refs.bad_bits=DO_NOT_USE, SATURATE: no DQ flag is called 'SATURATE'; "
        "did you mean SATURATED? the flags are",
    ),
    "item_14_bit_out_of_range": (
        valid(align_refs={"bad_bits": 2**32}),
        "align_refs.bad_bits=4294967296: 4294967296 is not a DQ bit; "
        "write powers of two up to 2147483648 or their sum",
    ),
    "item_14_negative": (
        valid(align_refs={"bad_bits": -1}),
        "align_refs.bad_bits=-1: -1 is not a DQ bit; "
        "write powers of two up to 2147483648 or their sum",
    ),
    "item_14_sum_in_a_list": (
        valid(align_refs={"bad_bits": "3, 4"}),
        "align_refs.bad_bits=3, 4: 3 is not a DQ bit; "
        "write powers of two up to 2147483648 or their sum",
    ),
    "item_03_unknown_key_of_crds": (
        valid(psfmask={"crds": {**CRDS, "server": "x"}}),
        "psfmask.crds.server: unknown key; the keys are context, path",
    ),
    "item_07_context_missing": (
        valid(psfmask={"crds": {"path": "crds_cache"}}),
        "psfmask.crds.context: is required; add it",
    ),
    "item_07_cache_missing": (
        valid(psfmask={"crds": {"context": "jwst_1413.pmap"}}),
        "psfmask.crds.path: is required; add it",
    ),
    "item_05_null_for_crds": (
        valid(psfmask={"crds": None}),
        "psfmask.crds=null: is null, expected a mapping; write a mapping",
    ),
    "item_05_context_that_is_not_fixed": (
        valid(psfmask={"crds": {**CRDS, "context": "latest"}}),
        "psfmask.crds.context='latest': does not match ^jwst_[0-9]+\\.pmap$; "
        "write the name of a pipeline mapping, for example jwst_1413.pmap",
    ),
    "two_sources_of_masks": (
        valid(psfmask={"references": ["refs"], "crds": CRDS}),
        "psfmask.crds: psfmask.references is given too; keep one source of masks",
    ),
    "item_05_circle_of_both_kinds": (
        with_circles(
            {"column": 3, "row": 4, "radius": 2}, {"column": 3, "separation": 1, "radius": 2}
        ),
        "align_refs.exclude[1]: has the keys column, separation and radius; "
        "give it column, row and radius, or separation, position_angle and radius",
    ),
    "item_05_circle_of_all_keys": (
        with_exposure(exclude=[{**PIXELS, **SKY}]),
        "exposures[0].exclude[0]: has the keys column, row, radius, separation and position_angle; "
        "give it column, row and radius, or separation, position_angle and radius",
    ),
    "item_07_circle_without_keys": (
        with_circles({}),
        "align_refs.exclude[0]: is empty; "
        "give it column, row and radius, or separation, position_angle and radius",
    ),
    "item_03_unknown_key_of_a_circle": (
        with_circles({**PIXELS, "radus": 3}),
        "align_refs.exclude[0].radus: unknown key; did you mean radius?",
    ),
    "item_05_circle_without_area": (
        with_circles({**PIXELS, "radius": 0}),
        "align_refs.exclude[0].radius=0: is not more than 0; write more than 0",
    ),
    "item_05_circle_behind_the_star": (
        with_circles({**SKY, "separation": -1.0}),
        "align_refs.exclude[0].separation=-1.0: is less than 0; write 0 or more",
    ),
    "item_05_angle_of_two_turns": (
        with_circles({**SKY, "position_angle": 720}),
        "align_refs.exclude[0].position_angle=720: is more than 360; write 360 or less",
    ),
    "item_05_circle_nowhere": (
        with_circles({**PIXELS, "row": math.nan}),
        "align_refs.exclude[0].row=nan: is not finite; write a finite number",
    ),
    "item_05_star_flux_without_end": (
        valid(psf_subtraction={"star_flux": math.inf}),
        "psf_subtraction.star_flux=inf: is not finite; write a finite number",
    ),
    "item_05_text_for_number": (
        with_circles({**PIXELS, "radius": "1e1"}),
        "align_refs.exclude[0].radius='1e1': is a string, expected a number; write 10.0",
    ),
    "item_05_star_without_flux": (
        valid(psf_subtraction={"star_flux": 0}),
        "psf_subtraction.star_flux=0: is not more than 0; write more than 0",
    ),
    "item_05_star_of_one_number": (
        valid(psf_subtraction={"star": [1]}),
        "psf_subtraction.star=[1]: has 1 value, not 2; "
        "write auto, or its [column, row], counted from 0",
    ),
    "item_05_star_of_three_numbers": (
        valid(psf_subtraction={"star": [1, 2, 3]}),
        "psf_subtraction.star=[1, 2, 3]: has 3 values, not 2; "
        "write auto, or its [column, row], counted from 0",
    ),
    "item_13_variable_for_output": (
        valid(output_dir="$HOME/results"),
        "output_dir='$HOME/results': the variable $HOME is not replaced; write the path in full",
    ),
    "item_13_variable_for_mask": (
        valid(psfmask={"references": ["masks", "/data/${USER}"]}),
        "psfmask.references[1]='/data/${USER}': the variable ${USER} is not replaced; "
        "write the path in full",
    ),
    "item_05_one_circle_that_is_no_list": (
        valid(align_refs={"exclude": PIXELS}),
        f"align_refs.exclude={PIXELS!r}: is a mapping, expected a list; write a list",
    ),
    "item_16_asn_id": (
        with_exposure(asn_id="x3001"),
        "exposures[0].asn_id='x3001': does not match ^([oa][0-9]+|c[0-9]+)$; "
        "write o, c or a and digits, for example a3001",
    ),
}
NOT_PATHS = {
    "psfmask.crds.path": valid(psfmask={"crds": {**CRDS, "path": "https://jwst-crds.stsci.edu"}}),
    "output_dir": valid(output_dir="s3://bucket/x"),
    "associations[0]": valid(associations=["https://mast.stsci.edu/asn.json"]),
    "psfmask.references[1]": valid(psfmask={"references": ["refs", "~/masks"]}),
    "exposures[0].science": with_exposure(science="a\0b"),
    "exposures[0].psfs[1]": with_exposure(psfs=["a.fits", "http://x/b.fits"]),
    "exposures[0].psfmask": with_exposure(psfmask="a\nb"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    config, message = REFUSED[name]
    before = copy.deepcopy(config)
    with pytest.raises(ConfigError) as caught:
        complete_config(config, FILE)
    text = str(caught.value)
    # The list of all flags is long; everything else is compared to its last letter.
    assert text.partition(" DO_NOT_USE, SATURATED, JUMP_DET")[0] == f"{FILE} {message}"
    assert config == before


def test_circles_of_both_kinds_stand_in_one_list() -> None:
    config = valid(align_refs={"exclude": [PIXELS, SKY]})
    config["exposures"][0]["exclude"] = [SKY]
    settings = complete_config(config, FILE)
    assert settings.align_refs.exclude == (PixelCircle(**PIXELS), SkyCircle(**SKY))
    assert settings.exposures[0].exclude == (SkyCircle(**SKY),)
    assert settings.as_dict()["align_refs"]["exclude"] == [PIXELS, SKY]
    assert "exclude" not in settings.parameters()  # exposures have circles of their own


@pytest.mark.parametrize("length", [-3, 0, 1])
def test_item_06_median_box_length(length: int) -> None:
    message = (
        f"{FILE} align_refs.median_box_length={length}: is less than 2; "
        "use 3 or more; a box of less than 2 has no neighbours"
    )
    with refused(message, ConfigError):
        complete_config(valid(align_refs={"median_box_length": length}), FILE)


@pytest.mark.parametrize("keyword", NOT_PATHS)
def test_item_13_not_a_path(keyword: str) -> None:
    message = "is not a path: no URL, no ~, no line break; write a file's path"
    with pytest.raises(ConfigError, match=message) as caught:
        complete_config(NOT_PATHS[keyword], FILE)
    assert str(caught.value).startswith(f"{FILE} {keyword}='")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "bad_bits", ["", None, "None", "0", 0, 18, "16+2", "16 | SATURATED", "~DO_NOT_USE", 2**32 - 1]
)
def test_item_14_words_that_are_flags(bad_bits: Any) -> None:
    completed = complete_config(valid(align_refs={"bad_bits": bad_bits}))
    assert completed.align_refs.bad_bits == bad_bits


def test_item_14_thousands_of_digits() -> None:
    config = valid(align_refs={"bad_bits": "9" * 5000})
    with pytest.raises(ConfigError, match="^my.yaml align_refs.bad_bits=9+: 9+ is not a DQ bit; "):
        complete_config(config, FILE)


def from_command_line(**given: Any) -> Settings:
    """What Snakemake makes of `--config`: merged into the configuration, nested numbers as text."""
    config = valid(align_refs={"padding": 2})
    for name, value in given.items():
        config[name] = {**config.get(name, {}), **value} if isinstance(value, dict) else value
    return complete_config(config, FILE, command_line=given)


def test_text_of_the_command_line_is_taken_as_the_type_of_the_option() -> None:
    settings = from_command_line(
        align_refs={"max_shift": "5", "align_to": "mean", "bad_bits": "18"},
        keep_intermediates="false",
        output_dir=7,
    )
    align = settings.align_refs
    assert (align.max_shift, align.padding, align.align_to, align.bad_bits) == (5, 2, "mean", "18")
    assert (settings.keep_intermediates, settings.output_dir) == (False, Path("7"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"align_refs": {"max_shift": "5.5"}},
            "--config align_refs.max_shift='5.5': is a string, expected an integer; write an integer",
        ),
        (
            {"align_refs": {"align_to": "eech"}},
            "--config align_refs.align_to='eech': is not known; write each",
        ),
        (
            {"align_refs": {"max_shfit": "5"}},
            "--config align_refs.max_shfit: unknown key; did you mean max_shift?",
        ),
        (
            {"align_refs": "x"},
            "--config align_refs='x': is a string, expected a mapping; write a mapping",
        ),
    ],
)
def test_mistake_on_the_command_line_names_it(given: dict[str, Any], message: str) -> None:
    with refused(message, ConfigError):
        from_command_line(**given)


def test_mistake_in_the_file_names_the_file_whatever_the_command_line_says() -> None:
    config = valid(align_refs={"max_shift": 5, "padding": -1})
    message = f"{FILE} align_refs.padding=-1: is less than 0; write 0 or more"
    with refused(message, ConfigError):
        complete_config(config, FILE, command_line={"align_refs": {"max_shift": "5"}})
