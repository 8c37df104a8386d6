"""Compare the records of a product with its header, its inputs, the configuration and the code."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...files.digest import sha256
from ...files.fits.structure import plain_text, text_of
from ...files.provenance.code import PACKAGE, code_digest
from ...files.provenance.records import Records, inputs_of, summarise_code
from ...files.provenance.table import NAME as PROVENANCE
from ...images.dq_flags import parse_bad_bits
from ...steps.registry import STEPS
from .findings import Finding, wrong
from .product import Product

RUN_AGAIN = "run the workflow again"

# The cards of the header that repeat a record.
CARDS = {
    "SCISHA": "clean_science",
    "PSFSHA": "clean_psfs",
    "MASKSHA": "resolve_psfmask",
}


class Files:
    """
    Possible inputs of a product by name, because products record no folders.

    Parameters
    ----------
    paths
        Files, of which some may be missing.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths: dict[str, dict[Path, None]] = {}
        for path in paths:
            self._paths.setdefault(plain_text(path.name), {})[path] = None
        self._digest = cache(sha256)

    def find(self, name: str) -> list[Path]:
        """Return the existing files of a name."""
        return [path for path in self._paths.get(name, {}) if path.is_file()]

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file, reading it once."""
        return self._digest(path)


def compare_header(product: Product) -> Iterator[InputError]:
    """Return errors for cards of the header that contradict the table PROVENANCE."""
    if not product.records:
        yield wrong(Finding.NO_RECORD, product.path, PROVENANCE)
    for keyword, step in CARDS.items():
        recorded = [e.value for e in product.records if (e.step, e.kind) == (step, "input")]
        value = text_of(product.header, keyword)
        if recorded[-1:] != ([value] if value else []):
            yield wrong(
                Finding.CARD, product.path, PROVENANCE, keyword=keyword, value=value or None
            )
    if product.records and text_of(product.header, "CODESHA") != summarise_code(product.records):
        yield wrong(Finding.CODE_CARD, product.path, PROVENANCE)


def compare_inputs(product: Product, files: Files) -> tuple[list[InputError], list[str]]:
    """Return errors for inputs that have changed, and the names of missing inputs."""
    changed, gone = [], []
    for entry in inputs_of(product.records):
        found = files.find(entry.name)
        if not found:
            gone.append(entry.name)
        elif entry.value not in map(files.digest, found):
            error = wrong(
                Finding.INPUT, product.path, remedy=RUN_AGAIN, found=found[0], step=entry.step
            )
            changed.append(error)
    return changed, gone


def compare_code(records: Records) -> list[str]:
    """Return the steps whose code differs from that of this checkout."""
    return [
        entry.step
        for entry in records
        if entry.kind == "code" and entry.value != _code_of(entry.step)
    ]


def compare_settings(
    path: Path, records: Records, settings: Mapping[str, Any]
) -> Iterator[InputError]:
    """Return errors for settings that differ from those of the configuration."""
    expected = {name: json.dumps(_resolved(name, value)) for name, value in settings.items()}
    for entry in records:
        if entry.kind == "parameter" and entry.value != expected.get(entry.name, entry.value):
            yield wrong(
                Finding.SETTING,
                path,
                keyword=entry.name,
                value=expected[entry.name],
                remedy=RUN_AGAIN,
                told=entry.value,
                step=entry.step,
            )


def _resolved(name: str, value: Any) -> Any:
    return parse_bad_bits(value) if name == "bad_bits" else value


@cache
def _code_of(step: str) -> str:
    if step not in STEPS:
        return ""
    path = PACKAGE.joinpath(*STEPS[step].module.split(".")).with_suffix(".py")
    return code_digest(path.resolve())
