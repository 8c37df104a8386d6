"""Check the results of a campaign, or single products."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ...campaign.exposures import RESERVED, ScienceExposure
from ...campaign.layout import SHARED, exposure_endings, outputs, result, shared_results
from ...errors import MAKE_AGAIN, InputError, PsfalignError
from ...files.digest import sha256
from ...files.fits.checksums import check_checksums
from ...files.fits.structure import scan, text_of
from ...files.provenance.records import Records, renamed, versions_of
from ...files.provenance.table import read_records
from ...files.shifts import ShiftTable
from ...psfmask.resolved import ResolvedMask
from ...steps.registry import STEPS, Scope, steps_of
from ...system.atomic_file import PARTIAL
from ..rocrate import CODE, CONFIGURATION
from .findings import Finding, Remark, wrong
from .origins import (
    RUN_AGAIN,
    Files,
    compare_code,
    compare_header,
    compare_inputs,
    compare_settings,
)
from .product import Product, check_product

PRODUCT = STEPS["align_psfs"].outputs["product"].ending
FITS = ".fits"


@dataclass(frozen=True)
class Verdict:
    """
    The findings about one file.

    Attributes
    ----------
    path
        The file.
    problems
        Its errors, one line each.
    notes
        Remarks that are not errors.
    size
        Number of bytes that were read.
    versions
        The recorded versions of the software that made a product.
    is_product
        Whether the file is, or should be, a product.
    """

    path: Path
    problems: list[PsfalignError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    size: int = 0
    versions: frozenset[tuple[str, str]] = frozenset()
    is_product: bool = False


@dataclass(frozen=True)
class Expected:
    """
    The expected properties of the results, as far as they are known.

    Attributes
    ----------
    settings
        The options of the configuration for all exposures, by name.
    exposures
        Its exposures by name; None if the configuration is not known.
    files
        The possible inputs.
    digests
        SHA-256 of results in the RO-Crate of the campaign.
    own
        The options of single exposures, by the name of the exposure.
    """

    settings: dict[str, Any]
    exposures: dict[str, ScienceExposure] | None
    files: Files
    digests: dict[Path, str] = field(default_factory=dict)
    own: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of_exposure(self, name: str) -> "Expected":
        """Return what is expected of the results of an exposure."""
        return replace(self, settings=self.settings | self.own.get(name, {}))


def verify(target: Path, expected: Expected, *, threads: int) -> Iterator[Verdict]:
    """
    Check a product, or all results below a folder.

    Parameters
    ----------
    target
        A product, or the output directory of a campaign.
    expected
        What to compare with.
    threads
        How many files are read at the same time.

    Yields
    ------
    Verdict
        One for each FITS file, and one for each other file with findings.
    """
    if not target.is_dir():
        yield from _check_named(target, expected)
        return
    products = sorted(target.glob(f"*/*{PRODUCT}"))
    shared = (path for scope in SHARED for path in shared_results(target, scope))
    paths = [*products, *shared]
    check = partial(_check_path, expected=expected)
    # Threads, because sums and digests release the interpreter lock, and digests are shared.
    with ThreadPoolExecutor(threads) as pool:
        yield from chain.from_iterable(pool.map(check, paths))
    for name in (CODE, CONFIGURATION):
        if (target / name).exists():
            yield _check(target / name, partial(_compare_digest, expected=expected))
    yield from _find_missing(target, expected, products)
    yield from _find_gone(expected)
    yield from _find_leftovers(target, expected)


def _check_named(path: Path, expected: Expected) -> list[Verdict]:
    """Check a single file, by its content and not by its name."""
    if path.name.endswith(PRODUCT) or _is_product(path):
        return _check_exposure(path, expected)
    verdict = _check(path, lambda path: _check_fits(path)[0])
    return [verdict if verdict.problems else replace(verdict, notes=[Remark.NO_PRODUCT.say()])]


def _is_product(path: Path) -> bool:
    """Return whether a header says that align_psfs wrote the file."""
    try:
        return "ALIGNVER" in scan(path)[0].header
    except (PsfalignError, OSError):
        return False  # what is wrong with it, the check says


def _check_path(path: Path, expected: Expected) -> list[Verdict]:
    if path.name.endswith(PRODUCT):
        verdicts = _check_exposure(path, expected)
    else:
        verdicts = [_check(path, partial(_check_shared, expected=expected))]
    return [_check_listed(verdict, expected) for verdict in verdicts]


def _check_listed(verdict: Verdict, expected: Expected) -> Verdict:
    """Compare an intact file with the RO-Crate, as an edit may have renewed the FITS checksums."""
    if verdict.problems:
        return verdict
    listed = _check(verdict.path, partial(_compare_digest, expected=expected))
    return replace(verdict, problems=listed.problems)


def _compare_digest(path: Path, expected: Expected) -> int:
    if path in expected.digests and sha256(path) != expected.digests[path]:
        remedy = f"{MAKE_AGAIN}, or write the crate again: psfalign crate"
        raise wrong(Finding.DIGEST, path, remedy=remedy)
    return path.stat().st_size


def _check_exposure(path: Path, expected: Expected) -> list[Verdict]:
    """Check a product and the files of its exposure beside it."""
    stem = path.name.removesuffix(PRODUCT)
    expected = expected.of_exposure(stem)
    try:
        product = check_product(path)
    except (PsfalignError, OSError) as error:
        return [replace(_refused(path, error), is_product=True)]
    problems: list[PsfalignError] = [*compare_header(product)]
    problems += compare_settings(path, product.records, expected.settings)
    changed, gone = compare_inputs(product, expected.files)
    problems += changed
    notes, versions = _describe(product, gone), frozenset(versions_of(product.records))
    verdict = Verdict(path, problems, notes, product.size, versions, is_product=True)
    files = [path.with_name(f"{stem}{ending}") for ending in exposure_endings()]
    beside = (file for file in files if file.exists() and file != path)
    check = partial(_check_beside, product=product, expected=expected)
    return [verdict, *(_check(file, check) for file in beside)]


def _describe(product: Product, gone: Sequence[str]) -> list[str]:
    n_pairs = len(product.shifts.get("status", ()))
    notes = [f"{n_pairs} pairs, {product.n_failed} failed" if product.shifts else "not aligned"]
    if gone:
        notes.append(Remark.NOT_AT_HAND.say(names=", ".join(gone)))
    other = compare_code(product.records)
    if other:
        notes.append(Remark.OTHER_CODE.say(steps=", ".join(other)))
    return notes


def _check(path: Path, check: Callable[[Path], int]) -> Verdict:
    try:
        return Verdict(path, size=check(path))
    except (PsfalignError, OSError) as error:
        return _refused(path, error)


def _refused(path: Path, error: PsfalignError | OSError) -> Verdict:
    if isinstance(error, OSError):
        return Verdict(path, [InputError.unreadable(error, path)])
    return Verdict(path, [error.of_own_file()])


def _check_shared(path: Path, expected: Expected) -> int:
    """Check a file that several exposures share."""
    if path.suffix != FITS:
        return path.stat().st_size
    size, records = _check_fits(path)
    _refuse_settings(path, records, expected)
    return size


def _refuse_settings(path: Path, records: Records, expected: Expected) -> None:
    for problem in compare_settings(path, records, expected.settings):
        problem.remedy = MAKE_AGAIN  # a step that is no longer run does not renew it
        raise problem


def _check_beside(path: Path, product: Product, expected: Expected) -> int:
    """Check a file of an exposure; by its checksums and records if it has no own check."""
    for step, check in CHECKS.items():
        if path.name.endswith(tuple(output.ending for output in STEPS[step].outputs.values())):
            return check(path, product, expected)
    return _check_fits(path)[0] if path.suffix == FITS else path.stat().st_size


def _check_shifts(path: Path, product: Product, _: Expected) -> int:
    table = ShiftTable.read(path)
    for name, column in product.shifts.items():
        own = table.columns.get(name, np.array([]))
        numbers = column.dtype.kind == "f"
        if not np.array_equal(own, column, equal_nan=numbers):
            raise wrong(Finding.SHIFTS, path, name=name)
    return path.stat().st_size


def _check_psfmask(path: Path, product: Product, _: Expected) -> int:
    mask = ResolvedMask.read(path)
    if mask.sha256 != text_of(product.header, "MASKSHA"):
        raise wrong(Finding.MASK, path)
    expected = text_of(product.header, "MASKCONV")
    if mask.convention != expected:
        raise wrong(Finding.CONVENTION, path, told=mask.convention, expected=expected)
    return path.stat().st_size


def _check_clean(path: Path, product: Product, _: Expected) -> int:
    size, records = _check_fits(path)
    if not set(renamed(records, "clean", "clean_science")) <= set(product.records):
        raise wrong(Finding.CLEAN, path)
    return size


def _check_subtracted(path: Path, product: Product, expected: Expected) -> int:
    size, records = _check_fits(path)
    if not set(product.records) <= set(records):
        raise wrong(Finding.SUBTRACTED, path)
    _refuse_settings(path, records, expected)
    return size


# The checks of the files of a step, besides checksums and records.
CHECKS = {
    "fit_shifts": _check_shifts,
    "resolve_psfmask": _check_psfmask,
    "clean_science": _check_clean,
    "subtract_psf": _check_subtracted,
}


def _check_fits(path: Path) -> tuple[int, Records]:
    hdus = scan(path)
    check_checksums(path, hdus)
    records = read_records(path, hdus)
    if not records:
        raise wrong(Finding.NO_PROVENANCE, path)
    return hdus[-1].end, records


def _find_missing(target: Path, expected: Expected, products: Iterable[Path]) -> Iterator[Verdict]:
    there = {path.name for path in products}
    for name in expected.exposures or ():
        path = result(target, "align_psfs", name)
        if path.name not in there:
            error = wrong(Finding.MISSING, path, remedy="run the workflow")
            yield Verdict(path, [error], is_product=True)


def _find_gone(expected: Expected) -> Iterator[Verdict]:
    """Find files other than products that the RO-Crate lists and that do not exist."""
    for path in sorted(expected.digests):
        if not path.exists() and not (expected.exposures and path.name.endswith(PRODUCT)):
            error = wrong(Finding.GONE, path, remedy=RUN_AGAIN)
            yield Verdict(path, [error], is_product=path.name.endswith(PRODUCT))


def _find_leftovers(target: Path, expected: Expected) -> Iterator[Verdict]:
    for path in sorted(target.rglob(f".*{PARTIAL}")):
        yield Verdict(path, notes=[Remark.UNFINISHED.say()])
    if expected.exposures is None:
        return
    for path in sorted(target.iterdir()):
        if path.is_dir() and path.name not in {*expected.exposures, *RESERVED}:
            yield Verdict(path, notes=[Remark.NO_EXPOSURE.say()])
    for scope, noun in ((Scope.STACK, "psf stack"), (Scope.ASSOCIATION, "association")):
        known = {
            result(target, step.name, exposure.name_in(scope), part)
            for step, part, _ in outputs(steps_of(scope))
            for exposure in expected.exposures.values()
        }
        for path in shared_results(target, scope):
            if path not in known:
                yield Verdict(path, notes=[Remark.NOT_SHARED.say(noun=noun)])
