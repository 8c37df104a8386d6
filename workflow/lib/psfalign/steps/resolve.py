"""Step resolve_psfmask: choose the mask of a science exposure, and decide how to read it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.io.fits import Header

from ..errors import MaskError
from ..files.agreement import Party, check_agreement, force, read_marks
from ..files.digest import sha256
from ..files.exposure import Exposure
from ..files.fits.structure import text_of
from ..files.provenance.records import record_step
from ..files.selectors import read_mask_selectors, read_selectors
from ..images.dq_flags import DO_NOT_USE
from ..images.mask_weight import Weight
from ..psfmask.catalogue import Catalogue, parse_useafter, read_entry, select, start_of
from ..psfmask.file import (
    REQUIRED,
    STATED,
    check_reference_type,
    read_mask_header,
    read_weight,
    stated_convention,
)
from ..psfmask.resolved import NOT_APPLICABLE, STEP, UNIFORM, ResolvedMask
from ..psfmask.uniform import Area, science_area


def resolve_psfmask(
    science: Path,
    output: Path,
    *,
    candidates: Sequence[Path] = (),
    psfmask: str | None = None,
    convention: str = "auto",
    crds: str = "",
    bad_bits: int = DO_NOT_USE,
) -> ResolvedMask:
    """
    Choose the mask of an exposure, decide how to read it, and write a psfmask.json.

    Parameters
    ----------
    science
        The science exposure.
    output
        The psfmask.json to write.
    candidates
        The mask files to choose from.
    psfmask
        A mask file to use instead, ``uniform`` for a weight of 1 in the science area, or ``N/A`` to
        leave the exposure unaligned.
    convention
        ``auto``, ``weight`` or ``exclude``.
    crds
        The rules by which CRDS chose ``psfmask``, if CRDS did.
    bad_bits
        DQ flags that make a pixel bad; only ``uniform`` uses them.

    Returns
    -------
    ResolvedMask
        The content of the file that was written.

    Raises
    ------
    MaskError, InputError
        If no mask, or more than one, serves the exposure, or if the mask does not fit it.
    """
    parameters: dict[str, str | int] = {"convention": convention}
    if psfmask == NOT_APPLICABLE:
        reason = f"{crds}: not applicable" if crds else "the configuration says N/A"
        source = "crds" if crds else "configuration"
        resolved = ResolvedMask(NOT_APPLICABLE, reason=reason, source=source)
    elif psfmask == UNIFORM:
        resolved = _weigh_all(Exposure(science), bad_bits)
        # The mask is made from the exposure itself: record its digest, as there is no mask file.
        parameters |= {"bad_bits": bad_bits, "science_sha256": sha256(science)}
    else:
        exposure = Exposure(science)
        resolved = _resolve(exposure, candidates, psfmask, convention, crds)
    records = record_step(STEP, __file__, parameters=parameters)
    resolved = replace(resolved, provenance=records)
    resolved.write(output)
    return resolved


def _weigh_all(exposure: Exposure, bad_bits: int) -> ResolvedMask:
    area = science_area(exposure, bad_bits=bad_bits)
    if not area.any():
        problem, remedy = "no pixel is usable in any integration", "leave the exposure out"
        raise MaskError(problem, file=exposure.path, remedy=remedy)
    n_out = int(np.count_nonzero(~area))
    return ResolvedMask(
        psfmask=UNIFORM,
        reason="the configuration says uniform",
        source="configuration",
        convention="n/a",
        decided_by="configuration",
        share_above_half=round(float(area.mean()), 6),
        selectors=read_selectors(exposure.primary),
        notes=[f"weight one, but for {n_out} pixels that show no sky in any integration"],
        area=Area.of(area),
    )


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
    science, mask = (
        Party.of("science", exposure),
        Party("psfmask", path, shape, read_mask_selectors(header)),
    )
    remarks: list[str] = []
    if source == "configuration":
        mask, remarks = force(science, mask)
    check_agreement([science, mask])
    weight = read_weight(path, convention=convention, occulter=exposure.occulter)
    return ResolvedMask(
        psfmask=str(path),
        reason=reason,
        source=source,
        sha256=sha256(path),
        convention=weight.convention,
        decided_by=_decided_by(header, convention),
        share_above_half=round(weight.share, 6),
        selectors=read_mask_selectors(header),
        useafter=text_of(header, "USEAFTER"),
        notes=remarks + notes + _describe(header, weight, convention),
        remark="; ".join(remarks),
    )


def _choose(exposure: Exposure, candidates: Sequence[Path]) -> tuple[Path, str]:
    selection = select(
        Catalogue(read_entry(path) for path in candidates),
        read_marks(exposure),
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


def _decided_by(header: Header, convention: str) -> str:
    if convention != "auto":
        return "configuration"
    return "header" if stated_convention(header) else "auto"


def _describe(header: Header, weight: Weight, convention: str) -> list[str]:
    if convention != "auto":
        return []
    meaning = "1 = use" if weight.convention == "weight" else "1 = masked out"
    if stated_convention(header):
        return [f"the mask says {STATED} = {weight.convention}: {meaning}"]
    return [f"{weight.share:.0%} of the mask is above 0.5, so it is read as {meaning}"]
