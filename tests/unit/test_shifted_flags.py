"""Flags travel with the pixels that they flag."""

import numpy as np
import pytest
from simulate import read_only

from psfalign.images.fourier import Shift
from psfalign.images.shifted_flags import find_wrapped, move_flags

DO_NOT_USE, HOT, DEAD = 1, 2048, 1024
SHAPE = (9, 11)


def flagged(**pixels: tuple[int, int]) -> np.ndarray:
    dq = np.zeros(SHAPE, dtype=np.uint32)
    for name, pixel in pixels.items():
        dq[pixel] |= {"hot": HOT, "dead": DEAD}[name]
    return read_only(dq)


def carrying(dq: np.ndarray, flag: int) -> set[tuple[int, int]]:
    return {(int(r), int(c)) for r, c in np.argwhere(dq & np.uint32(flag))}


@pytest.mark.parametrize(
    ("shift", "rows", "columns"),
    [
        (Shift(0.0, 0.0), {3, 4, 5}, {4, 5, 6}),
        (Shift(2.0, -1.0), {2, 3, 4}, {6, 7, 8}),  # neighbours of the origin are at distance 1
        (Shift(0.3, 0.0), {3, 4, 5}, {5, 6}),  # 4.7 and 5.7 lie within 1 of 5, 3.7 does not
        (Shift(-0.3, 0.5), {4, 5}, {4, 5}),
        (Shift(2.5, -1.25), {2, 3}, {7, 8}),
        (Shift(1e-9, 1.0 - 1e-9), {4, 5, 6}, {4, 5, 6}),  # as whole as a fit can tell
        (Shift(0.005, 0.0), {3, 4, 5}, {5, 6}),  # not whole
    ],
)
def test_flag_is_within_a_pixel_of_where_it_came_from(
    shift: Shift, rows: set[int], columns: set[int]
) -> None:
    moved = move_flags(flagged(hot=(4, 5)), shift)
    assert carrying(moved, HOT) == {(r, c) for r in rows for c in columns}
    assert moved.dtype == np.uint32


def test_flags_of_neighbours_add_up() -> None:
    moved = move_flags(flagged(hot=(4, 4), dead=(4, 5)), Shift(0.5, 0.0))
    assert moved[4, 4:7].tolist() == [HOT, HOT | DEAD, DEAD]


@pytest.mark.parametrize(
    ("shift", "rows", "columns"),
    [
        (Shift(0.0, 0.0), [], []),
        (Shift(2.0, 0.0), [], [0, 1]),
        (Shift(0.005, 0.0), [], [0]),
        (Shift(-2.0, 0.0), [], [9, 10]),
        (Shift(1.2, -0.1), [8], [0, 1]),
        (Shift(0.0, 3.0), [0, 1, 2], []),
        (Shift(100.0, 0.0), [], list(range(11))),
    ],
)
def test_wrapped_edges_are_not_to_be_used(
    shift: Shift, rows: list[int], columns: list[int]
) -> None:
    wrapped = np.zeros(SHAPE, dtype=bool)
    wrapped[rows], wrapped[:, columns] = True, True
    np.testing.assert_array_equal(find_wrapped(SHAPE, shift), wrapped)
    moved = move_flags(flagged(), shift)
    np.testing.assert_array_equal(moved, np.where(wrapped, DO_NOT_USE, 0))


def test_flags_do_not_wrap() -> None:
    moved = move_flags(flagged(hot=(4, 10), dead=(0, 5)), Shift(2.0, -2.0))
    assert carrying(moved, HOT) == set()
    assert carrying(moved, DEAD) == set()
    assert carrying(move_flags(flagged(hot=(4, 10)), Shift(1.0, 0.0)), HOT) == {
        (3, 10),
        (4, 10),
        (5, 10),
    }


def test_highest_bit_survives() -> None:
    dq = np.full(SHAPE, 2**31, dtype=np.uint32)
    assert np.all(move_flags(dq, Shift(0.2, 0.3))[1:, 1:] == 2**31)
