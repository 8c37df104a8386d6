"""Define the data quality flags of JWST, and parse the option that selects some of them."""

import difflib
import re
from types import MappingProxyType

from ..errors import ConfigError

# Bits of stdatamodels.dqflags.pixel, release 6.0.0. RESERVED is the former UNRELIABLE_ERROR.
FLAGS = MappingProxyType(
    {
        "DO_NOT_USE": 1 << 0,
        "SATURATED": 1 << 1,
        "JUMP_DET": 1 << 2,
        "DROPOUT": 1 << 3,
        "OUTLIER": 1 << 4,
        "PERSISTENCE": 1 << 5,
        "AD_FLOOR": 1 << 6,
        "CHARGELOSS": 1 << 7,
        "RESERVED": 1 << 8,
        "UNRELIABLE_ERROR": 1 << 8,
        "NON_SCIENCE": 1 << 9,
        "DEAD": 1 << 10,
        "HOT": 1 << 11,
        "WARM": 1 << 12,
        "LOW_QE": 1 << 13,
        "RC": 1 << 14,
        "TELEGRAPH": 1 << 15,
        "NONLINEAR": 1 << 16,
        "BAD_REF_PIXEL": 1 << 17,
        "NO_FLAT_FIELD": 1 << 18,
        "NO_GAIN_VALUE": 1 << 19,
        "NO_LIN_CORR": 1 << 20,
        "NO_SAT_CHECK": 1 << 21,
        "UNRELIABLE_BIAS": 1 << 22,
        "UNRELIABLE_DARK": 1 << 23,
        "UNRELIABLE_SLOPE": 1 << 24,
        "UNRELIABLE_FLAT": 1 << 25,
        "OPEN": 1 << 26,
        "ADJ_OPEN": 1 << 27,
        "FLUX_ESTIMATED": 1 << 28,
        "MSA_FAILED_OPEN": 1 << 29,
        "OTHER_BAD_PIXEL": 1 << 30,
        "REFERENCE_PIXEL": 1 << 31,
    }
)

DO_NOT_USE = FLAGS["DO_NOT_USE"]
NON_SCIENCE = FLAGS["NON_SCIENCE"]
FLUX_ESTIMATED = FLAGS["FLUX_ESTIMATED"]
ALL_FLAGS = (1 << 32) - 1


def parse_bad_bits(text: str | int | None) -> int:
    """
    Parse the option ``bad_bits``.

    The syntax is that of `astropy.nddata.bitmask.interpret_bit_flags`: names or numbers, joined by
    comma, plus or bar, and a leading ``~`` to select all other flags. Here, names and numbers may
    be mixed. The import of astropy's function takes longer than most jobs.

    Parameters
    ----------
    text
        For example ``"DO_NOT_USE"``, ``"OUTLIER, SATURATED"``, ``"16+2"`` or ``18``; ``""``,
        ``"None"``, ``"0"`` and None say that no flag is bad.

    Returns
    -------
    The bitwise or of the flags, between 0 and 2³² − 1.

    Raises
    ------
    ConfigError
        If a name is not a JWST flag, or a number is not a sum of flags.
    """
    words = "" if text is None else str(text).strip()
    if words.lower() in ("", "none"):
        return 0
    inverted = words.startswith("~")
    tokens = re.split(r"[,+|]", words.removeprefix("~").strip().removeprefix("(").removesuffix(")"))
    bits = 0
    for token in tokens:
        bits |= _bit(token.strip(), alone=len(tokens) == 1, text=words)
    return bits ^ ALL_FLAGS if inverted else bits


def _bit(token: str, *, alone: bool, text: str) -> int:
    if token.upper() in FLAGS:
        return FLAGS[token.upper()]
    if not re.fullmatch("-?[0-9]+", token):
        raise _unknown_flag(token, text)
    # Python refuses to read thousands of digits.
    number = int(token) if len(token) <= len(str(ALL_FLAGS)) else ALL_FLAGS + 1
    if not 0 <= number <= ALL_FLAGS or not (alone or number.bit_count() == 1):
        raise ConfigError(
            f"{token} is not a DQ bit",
            keyword="align_refs.bad_bits",
            value=text,
            remedy="write powers of two up to 2147483648 or their sum",
        )
    return number


def _unknown_flag(token: str, text: str) -> ConfigError:
    close = difflib.get_close_matches(token.upper(), FLAGS, n=1)
    guess = f"did you mean {close[0]}? " if close else ""
    return ConfigError(
        f"no DQ flag is called {token!r}",
        keyword="align_refs.bad_bits",
        value=text,
        remedy=f"{guess}the flags are {', '.join(FLAGS)}",
    )
