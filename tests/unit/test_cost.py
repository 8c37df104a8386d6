"""The fit stays cheap: transforms and evaluations are counted, not timed."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from simulate import noise, scene, shifted

from psfalign.fit import doubt, energy, gradients, polynomials, spectral
from psfalign.fit.exposure import fit_shifts
from psfalign.fit.polynomials import CrossTerm
from psfalign.images.frames import Frame

SHAPE = (48, 56)
N_INTEGRATIONS, N_PSFS = 5, 12
TRANSFORMS = ("fft", "ifft", "rfft", "irfft", "rfft2", "irfft2")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the transforms of the fit by name, and the evaluations of B."""
    calls: Counter[str] = Counter()

    def count(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return function(*arguments, **options)

        return counting

    for module in (doubt, energy, gradients, polynomials, spectral):
        for name in TRANSFORMS:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, count(name, getattr(module, name)))
    monkeypatch.setattr(CrossTerm, "at", count("evaluations", CrossTerm.at))
    return calls


def test_transforms_are_shared_and_searches_take_none(counted: Counter[str]) -> None:
    star = scene(SHAPE, seed=1)
    science = [
        Frame(shifted(star, (0.02 * i, -0.01 * i)) + noise(SHAPE, seed=i, sigma=1e-4))
        for i in range(N_INTEGRATIONS)
    ]
    psfs = [Frame(shifted(star, (0.3 * (k % 3), 0.3 * (k // 3)))) for k in range(N_PSFS)]
    fits = list(fit_shifts(science, psfs, star * 0 + 1))
    assert {fit.status for row in fits for fit in row} == {"ok"}
    # One for the weight times its columns, one for each psf, one for each integration.
    assert counted["rfft2"] == 1 + N_PSFS + N_INTEGRATIONS
    assert counted["irfft2"] == 0  # a search takes no transform
    # C between the pixels: one pass on the fine grid for each integration. The weight: its rows,
    # then its columns, alone and times the rows.
    passes = {name: counted[name] - N_INTEGRATIONS for name in ("fft", "ifft", "rfft", "irfft")}
    # An integration and its derivatives: back along columns twice, along rows three times.
    derivatives = {"ifft": 2 * N_INTEGRATIONS, "irfft": 3 * N_INTEGRATIONS}
    assert passes == {"rfft": 1, "fft": 2, **derivatives}
    # From a search mostly two evaluations: it places its start between the pixels, and the last
    # step is so short that derivatives tell what is at its end.
    assert counted["evaluations"] < 2.1 * N_INTEGRATIONS * N_PSFS
