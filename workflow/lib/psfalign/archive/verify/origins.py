"""Compare the records of a product with its header, its inputs, the configuration and the code."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import MAKE_AGAIN, InputError
from ...files.digest import sha256
from ...files.fits.structure import plain_text, text_of
from ...files.provenance.code import PACKAGE, code_digest
from ...files.provenance.records import Records, inputs_of
from ...images.dq_flags import parse_bad_bits
from ...steps.registry import STEPS
from .product import Product

# The cards of the header that repeat a record.
CARDS = {
    "SCISHA": "clean_science",
    "PSFSHA": "clean_psfs",
    "MASKSHA": "resolve_psfmask",
}


class Files:
    """
    Files that may be inputs of a product, by name; products tell no folders.

    Parameters
    ----------
    paths
        Files, of which some may be gone.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths: dict[str, dict[Path, None]] = {}
        for path in paths:
            self._paths.setdefault(plain_text(path.name), {})[path] = None
        self._digest = cache(sha256)

    def find(self, name: str) -> list[Path]:
        """Return those of a name that are there."""
        return [path for path in self._paths.get(name, {}) if path.is_file()]

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file, reading it once."""
        return self._digest(path)


def compare_header(product: Product) -> Iterator[InputError]:
    """Find cards of the header that say something else than the table PROVENANCE."""
    if not product.records:
        yield _error(product, "holds no record")
    for keyword, step in CARDS.items():
        recorded = [e.value for e in product.records if (e.step, e.kind) == (step, "input")]
        value = text_of(product.header, keyword)
        if recorded[-1:] != ([value] if value else []):
            yield _error(product, f"does not hold the {keyword} of the header", keyword, value)


def compare_inputs(product: Product, files: Files) -> tuple[list[InputError], list[str]]:
    """Return the inputs that have changed, as errors, and the names of those that are gone."""
    changed, gone = [], []
    for entry in inputs_of(product.records):
        found = files.find(entry.name)
        if not found:
            gone.append(entry.name)
        elif entry.value not in map(files.digest, found):
            problem = f"{found[0]} is not the file that it was made from ({entry.step})"
            changed.append(InputError(problem, file=product.path, remedy="run the workflow again"))
    return changed, gone


def compare_code(records: Records) -> list[str]:
    """Name the steps whose code was not that of this checkout."""
    return [
        entry.step
        for entry in records
        if entry.kind == "code" and entry.value != _code_of(entry.step)
    ]


def compare_settings(
    path: Path, records: Records, settings: Mapping[str, Any]
) -> Iterator[InputError]:
    """Find settings that are not those of the configuration."""
    expected = {name: json.dumps(_resolved(name, value)) for name, value in settings.items()}
    for entry in records:
        if entry.kind == "parameter" and entry.value != expected.get(entry.name, entry.value):
            yield InputError(
                f"was made with {entry.value} ({entry.step})",
                file=path,
                keyword=entry.name,
                value=expected[entry.name],
                remedy="run the workflow again",
            )


def _resolved(name: str, value: Any) -> Any:
    return parse_bad_bits(value) if name == "bad_bits" else value


@cache
def _code_of(step: str) -> str:
    if step not in STEPS:
        return ""
    path = PACKAGE.joinpath(*STEPS[step].module.split(".")).with_suffix(".py")
    return code_digest(path.resolve())


def _error(
    product: Product, problem: str, keyword: str | None = None, value: str = ""
) -> InputError:
    file = f"{product.path}[PROVENANCE]"
    return InputError(problem, file=file, keyword=keyword, value=value or None, remedy=MAKE_AGAIN)
