"""resolve_psfmask: which mask serves a science exposure, and how it is read."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from astropy.io.fits import Header

from ..files.agreement import Party, check_agreement
from ..files.digest import sha256
from ..files.exposure import Exposure
from ..files.fits.structure import text_of
from ..files.provenance.records import record_step
from ..files.selectors import read_selectors
from ..images.mask_weight import Weight
from ..psfmask.catalogue import Catalogue, parse_useafter, read_entry, select, start_of
from ..psfmask.file import REQUIRED, check_reference_type, read_mask_header, read_weight
from ..psfmask.resolved import NOT_APPLICABLE, STEP, ResolvedMask


def resolve_psfmask(
    science: Path,
    output: Path,
    *,
    candidates: Sequence[Path] = (),
    psfmask: str | None = None,
    convention: str = "auto",
    crds: str = "",
) -> ResolvedMask:
    """
    Choose the mask of an exposure, decide how to read it, and write that down.

    Parameters
    ----------
    science
        The science exposure.
    output
        The psfmask.json to write.
    candidates
        The catalogue to choose from.
    psfmask
        A mask file to use instead, or ``N/A`` not to align the exposure.
    convention
        ``auto``, ``weight`` or ``exclude``.
    crds
        By which rules CRDS chose ``psfmask``, where it was CRDS.

    Raises
    ------
    MaskError, InputError
        If there is no mask, more than one, or one that does not fit the exposure.
    """
    if psfmask == NOT_APPLICABLE:
        reason = f"{crds}: not applicable" if crds else "the configuration says N/A"
        source = "crds" if crds else "configuration"
        resolved = ResolvedMask(NOT_APPLICABLE, reason=reason, source=source)
    else:
        exposure = Exposure(science)
        resolved = _resolve(exposure, candidates, psfmask, convention, crds)
    records = record_step(STEP, __file__, parameters={"convention": convention})
    resolved = replace(resolved, provenance=records)
    resolved.write(output)
    return resolved


def _resolve(
    exposure: Exposure, candidates: Sequence[Path], psfmask: str | None, convention: str, crds: str
) -> ResolvedMask:
    if psfmask is None:
        path, reason, source = *_choose(exposure, candidates), "catalogue"
    else:
        path, reason = Path(psfmask), crds or "named in the configuration"
        source = "crds" if crds else "configuration"
    header, shape = read_mask_header(path)
    notes = [] if psfmask is None else _missing(header, path)
    check_reference_type(header, path)
    notes += _spellings(header, exposure.primary)
    check_agreement(
        [
            Party.of("science", exposure),
            Party("psfmask", path, shape, read_selectors(header)),
        ]
    )
    weight = read_weight(path, convention=convention, occulter=exposure.occulter)
    return ResolvedMask(
        psfmask=str(path),
        reason=reason,
        source=source,
        sha256=sha256(path),
        convention=weight.convention,
        decided_by="auto" if convention == "auto" else "configuration",
        share_above_half=round(weight.share, 6),
        selectors=read_selectors(header),
        useafter=text_of(header, "USEAFTER"),
        notes=notes + _describe(weight, convention),
    )


def _choose(exposure: Exposure, candidates: Sequence[Path]) -> tuple[Path, str]:
    selection = select(
        Catalogue(read_entry(path) for path in candidates),
        read_selectors(exposure.primary),
        start_of(exposure.primary, exposure.path),
        exposure.path,
    )
    return selection.entry.path, selection.reason


def _missing(header: Header, path: Path) -> list[str]:
    if text_of(header, "USEAFTER"):
        parse_useafter(header["USEAFTER"], path)
    missing = [keyword for keyword in REQUIRED if not text_of(header, keyword)]
    return [f"the mask's header lacks {', '.join(missing)}"] if missing else []


def _spellings(mask: Header, science: Header) -> list[str]:
    own, other = (text_of(header, "CORONMSK").upper() for header in (mask, science))
    if own and other and own != other and read_selectors(mask) == read_selectors(science):
        return [f"CORONMSK {own} of the mask is an older spelling of {other}"]
    return []


def _describe(weight: Weight, convention: str) -> list[str]:
    if convention != "auto":
        return []
    meaning = "1 = use" if weight.convention == "weight" else "1 = masked out"
    return [f"{weight.share:.0%} of the mask is above 0.5, so it is read as {meaning}"]
