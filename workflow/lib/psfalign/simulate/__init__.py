"""Simulate the demo campaign: exposures with known shifts."""

from pathlib import Path
from typing import Any

from ..system.atomic_file import publish_bytes
from .observations import CAMPAIGN, FILES, ROLLS, SHAPES, TRUTH

__all__ = ["CAMPAIGN", "FILES", "ROLLS", "SHAPES", "TRUTH", "simulate_campaign"]


def simulate_campaign(folder: Path, *, seed: int = 9999) -> None:
    """
    Write the demo campaign: science exposures, psf stacks, psf masks and the truth.

    The campaign has two rolls of a star with NIRCam and one exposure of another star with MIRI,
    each with a planet, a stack of psfs and a mask in which 1 means use. All images of a star are
    exact Fourier shifts of one image, and so the shifts and flux ratios are known. Noise and bad
    pixels are added.

    Parameters
    ----------
    folder
        The folder for `FILES`; it is created if it does not exist.
    seed
        Seed of all random numbers, at least 0. The same seed gives the same bytes.
    """
    # The workflow imports this package for `FILES`, and poppy takes seconds to import.
    from ..files.provenance.records import record_step
    from .files import render_exposure, render_mask, render_truth
    from .optics import optical_images, transmission
    from .scene import draw_scene, expose, random_stream, true_shifts

    truth: dict[str, dict[str, Any]] = {}
    for observation in CAMPAIGN:
        mode = observation.mode
        images = optical_images(mode, random_stream(seed, f"wavefront {mode.psfmask}"))
        for exposure in (observation.psfs, *observation.sciences):
            scene = draw_scene(exposure, observation, *images, seed=seed)
            frames = expose(scene, exposure, mode, seed=seed)
            publish_bytes(folder / exposure.name, render_exposure(frames, exposure, mode))
        publish_bytes(folder / mode.psfmask, render_mask(transmission(mode), mode))
        for science in observation.sciences:
            root = science.name.removesuffix("_calints.fits")
            truth[f"{root}_{observation.asn_id}"] = true_shifts(science, observation, seed=seed)
    records = record_step("simulate_demo", __file__, parameters={"seed": seed})
    made = [list(entry) for entry in records if entry.kind != "software"]
    publish_bytes(folder / TRUTH, render_truth(truth, made))
