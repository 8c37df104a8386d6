"""The words of `bad_bits`: what they mean, and what is refused."""

import re

import pytest
from astropy.nddata.bitmask import extend_bit_flag_map, interpret_bit_flags

from psfalign.errors import ConfigError
from psfalign.images.dq_flags import ALL_FLAGS, FLAGS, parse_bad_bits

ASTROPYS_FLAGS = extend_bit_flag_map("JWST", **FLAGS)


@pytest.mark.parametrize(
    ("words", "bits"),
    [
        ("", 0),
        ("  ", 0),
        (None, 0),
        ("None", 0),
        ("0", 0),
        (0, 0),
        ("DO_NOT_USE", 1),
        ("do_not_use", 1),
        ("OUTLIER, SATURATED", 18),
        ("16, 2", 18),
        ("16+2", 18),
        ("16|2", 18),
        ("18", 18),
        (18, 18),
        ("OUTLIER|2", 18),
        ("1, SATURATED + 16", 19),
        ("REFERENCE_PIXEL", 2**31),
        ("UNRELIABLE_ERROR", 256),
        ("RESERVED", 256),
        (2**32 - 1, 2**32 - 1),
        ("~0", ALL_FLAGS),
        ("~DO_NOT_USE", ALL_FLAGS - 1),
        ("~(DO_NOT_USE, SATURATED)", ALL_FLAGS - 3),
    ],
)
def test_words_name_bits(words: str | int | None, bits: int) -> None:
    assert parse_bad_bits(words) == bits


@pytest.mark.parametrize(
    "words",
    [
        *FLAGS,
        *map(str, FLAGS.values()),
        *(f"~{name}" for name in FLAGS),
        "18",
        "~18",
        "16,2",
        "16|2",
        "16+2",
        "~(16,2)",
        "OUTLIER,SATURATED",
        "OUTLIER|SATURATED|DEAD",
        "OUTLIER+SATURATED",
        "~(OUTLIER,SATURATED)",
    ],
)
def test_astropy_understands_the_same(words: str) -> None:
    expected = interpret_bit_flags(words, flag_name_map=ASTROPYS_FLAGS)
    # astropy inverts all bits of an endless integer; DQ has 32.
    assert parse_bad_bits(words) == expected & ALL_FLAGS


def test_every_bit_has_a_name() -> None:
    assert sorted(set(FLAGS.values())) == [2**bit for bit in range(32)]


@pytest.mark.parametrize(
    ("words", "nearest"),
    [("DO_NOT_UZE", "DO_NOT_USE"), ("saturatd", "SATURATED"), ("16, OUTLYER", "OUTLIER")],
)
def test_unknown_name_is_refused_with_the_nearest_and_the_list(words: str, nearest: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean {nearest}") as refusal:
        parse_bad_bits(words)
    assert ", ".join(FLAGS) in str(refusal.value)
    assert f"align_refs.bad_bits={words}: no DQ flag is called" in str(refusal.value)


@pytest.mark.parametrize("words", ["zzzzzzzz", "1.0", "1e3", "0x10", "1,,2", "²", "~", "~~1"])
def test_what_is_no_name_and_no_number_is_refused(words: str) -> None:
    with pytest.raises(ConfigError, match=r"no DQ flag is called .*; the flags are DO_NOT_USE, "):
        parse_bad_bits(words)


@pytest.mark.parametrize("words", [str(2**32), "-1", "1, 3", "0, 1", "9" * 5000])
def test_number_that_is_no_bit_is_refused(words: str) -> None:
    culprit = re.escape(words) + r": -?\d+ is not a DQ bit; write powers of two"
    with pytest.raises(ConfigError, match=culprit):
        parse_bad_bits(words)
