"""The share of an injected source is that of a subtraction of images with the source."""

from typing import Any

import numpy as np
import pytest
from speckles import ALL, COLUMNS, RADIUS, ROWS, SHAPE, images

from psfalign.images.injection import Injection, Planted, Source, measure_shares
from psfalign.images.klip import PsfLibrary
from psfalign.images.zones import divide

OWN = Source(column=22.3, row=9.6, fwhm=3.0)
TURNED = Source(column=23.3, row=11.0, fwhm=3.0)


def light(source: Source) -> tuple[Any, Any]:
    """A Gaussian, (rows, columns), and its aperture."""
    square = (COLUMNS - source.column) ** 2 + (ROWS - source.row) ** 2
    return np.exp(-4 * np.log(2) * square / source.fwhm**2), square <= source.fwhm**2 / 4


def kept(science: Any, psfs: Any, sources: Any, zones: Any, flux: float) -> Any:
    """Subtract with and without the source; `sources` are what each psf image holds."""
    own, aperture = light(OWN)
    left = []
    for brightness in (flux, 0.0):
        library = PsfLibrary(psfs + brightness * sources, zones, [2, 6])
        image = science + brightness * own
        left.append(library.subtract(image, library.fit(image)))
    return (left[0] - left[1])[:, aperture].sum(axis=1) / (flux * own[aperture].sum())


@pytest.mark.parametrize("edges", [[], [7.0]])
def test_a_source_that_psf_images_do_not_hold(edges: list[float]) -> None:
    science, psfs = images(1, seed=4)[0], images(6)
    zones = divide(ALL, RADIUS, edges, 6)
    library = PsfLibrary(psfs, zones, [2, 6])
    other, told = measure_shares(library, [TURNED, OWN])
    np.testing.assert_allclose(measure_shares(library, [TURNED])[0], other, rtol=1e-12)
    # The wings beyond two FWHM, 1e-5 of the height, are left out.
    np.testing.assert_allclose(told, kept(science, psfs, 0 * psfs, zones, 1.0), atol=2e-4)
    assert told[0] == pytest.approx(1, abs=1e-12)
    assert told[-1] < 1


@pytest.mark.parametrize("edges", [[], [7.0]])
@pytest.mark.parametrize("flux", [0.5, 20.0])
def test_a_source_that_some_psf_images_hold_elsewhere(edges: list[float], flux: float) -> None:
    science, psfs = images(1, seed=4)[0], images(6)
    members = np.array([False, True, True, True, True, True])
    zones = divide(ALL, RADIUS, edges, 6)
    library = PsfLibrary(psfs, zones, [2, 6])
    injection = Injection(library, science)
    told = injection.kept(OWN, flux, [Planted(members, TURNED)])
    sources = members[:, None, None] * light(TURNED)[0]
    np.testing.assert_allclose(told, kept(science, psfs, sources, zones, flux), atol=1e-3)
    assert not np.allclose(told, measure_shares(library, [OWN]), atol=2e-3)


def test_a_source_at_the_edge_is_not_inside() -> None:
    assert Source(10.0, 10.0, 4.0).is_inside(SHAPE)
    assert not Source(2.9, 10.0, 4.0).is_inside(SHAPE)
    assert not Source(10.0, 26.5, 4.0).is_inside(SHAPE)
