"""Explain why a pair needs a look, and what can be done about it."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

# By the words of `psfalign.fit.result.Status`, and those for shifts that may be used all the same.
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "no_convergence": "the fit found no best shift; look at the images",
        "out_of_range": "the best shift is beyond max_shift: raise max_shift, or exclude a "
        "companion or background star",
        "negative_flux": "the flux ratio is not positive: the images have no star in common, or a "
        "background remains",
        "insignificant": "the star is too faint, or another shift is as good within the noise: "
        "leave the psf image out",
        "rounding": "an offset of the images is much brighter than the star: fit a background",
        "no_weight": "too few pixels have weight; check the mask, the flags and excluded circles",
        "bad_science": "the science integration has no usable pixel",
        "bad_psf": "the psf image has no usable pixel",
        "suspicious": "other pairs contradict the shift: its closure is beyond five sigma",
        "doubtful": "the shift depends on a small part of the image, or most of the psf is not "
        "explained: exclude a companion or background star, or look for artefacts",
    }
)


def explain(words: Iterable[str]) -> list[tuple[str, str]]:
    """Return the reasons that occur, each word with its meaning, in the order of `REASONS`."""
    said = {word.strip() for text in words for word in text.split(",")}
    return [(word, meaning) for word, meaning in REASONS.items() if word in said]
