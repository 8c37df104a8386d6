"""Format numbers and names for sentences."""

from collections.abc import Collection


def plural(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def some_of(names: Collection[object], most: int) -> str:
    """Join names; of more than `most`, the first ones and how many others there are."""
    rest = len(names) - most
    shown = ", ".join(map(str, list(names)[:most]))
    return f"{shown} and {rest} more" if rest > 0 else shown


def all_of(names: Collection[object]) -> str:
    """Join names by commas, the last two by "and"."""
    *first, last = map(str, names)
    return f"{', '.join(first)} and {last}" if first else last
