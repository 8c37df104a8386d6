"""Facts about input files that planning needs, remembered between runs."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files.agreement import read_marks
from ..files.background import Background, measure_background
from ..files.digest import sha256
from ..files.exposure import Exposure
from ..files.fits.structure import check_regular_file, text_of
from ..files.provenance.code import code_digest
from ..files.selectors import read_mask_selectors
from ..files.sky import north_angle, read_matrix, read_star, read_target
from ..psfmask.catalogue import START, MaskEntry, parse_useafter, read_entry, start_of
from ..psfmask.file import check_mask_checksums, check_reference_type, read_mask_header, read_weight
from ..system.atomic_file import publish_bytes
from .demo import describe_demo_file, list_demo_files
from .manifest import Facts, read_manifest
from .roles import read_role_header
from .settings import Settings

CACHE = Path(".snakemake/psfalign/facts.json")  # the file of facts before there are results
KEPT = ".facts.json"  # the file of facts in the output directory
THIS = Path(__file__)
LASTING = ("signature", "sha256")  # facts that do not depend on the code that reads them
# The first words of the facts that a manifest contains; how a mask is read follows "weight".
TOLD = ("sha256", "exposure", "background", "mask", "named_mask", "weight")


class FactsStore:
    """
    Facts about files, read again only where size, times or inode of a file have changed.

    A store looks at each file once, so that a plan is consistent; the next run notices a file that
    changes later. Files that a manifest lists are not looked at. All methods raise `InputError` if
    a file cannot be used.

    Parameters
    ----------
    path
        The file in which facts are remembered. It is a cache: without it, all files are read again.
    results
        The output directory of the campaign. If it exists, facts are remembered in it instead of
        in `path`: they then last as long as the results, and everybody who works with the results
        uses them.
    read_only
        Whether `save` writes nothing.
    manifest
        The manifest of inputs, where there is one.
    made_first
        Files that the run itself makes before it reads them: the files of the demo.
    """

    def __init__(
        self,
        path: Path,
        *,
        results: Path | None = None,
        read_only: bool = False,
        manifest: Path | None = None,
        made_first: Sequence[str] = (),
    ) -> None:
        self.made_first = dict.fromkeys(made_first)
        self.manifest = read_manifest(manifest)
        self._path, self._results = path, results
        self._read_only = read_only
        self._seen: dict[str, Facts] = {}
        self._folder = os.getcwd()  # noqa: PTH109 - joined with thousands of names
        self._changed = False
        self._known = self._load()

    @classmethod
    def of(
        cls, settings: Settings, *, results: Path | None = None, read_only: bool = False
    ) -> "FactsStore":
        """Return the store of a campaign, whose results may be outside the configured folder."""
        return cls(
            CACHE,
            results=results or settings.output_dir,
            read_only=read_only,
            manifest=settings.manifest,
            made_first=list_demo_files(settings),
        )

    def is_made_first(self, path: Path) -> bool:
        """Return whether the run itself makes a file, so that it cannot be read before."""
        return str(path) in self.made_first

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file."""
        return str(self._get(path, "sha256", sha256))

    def size(self, path: Path) -> int:
        """Return the size of a file in bytes."""
        known = self._about(path)
        return int(known["size"] if path in self.manifest else known["signature"][0])

    def describe(self, path: Path) -> Facts:
        """Return all remembered facts about a file, as a manifest lists them."""
        told = {k: v for k, v in self._about(path).items() if k.startswith(TOLD)}
        return {"size": self.size(path)} | told

    def exposure(self, path: Path) -> Facts:
        """
        Return the facts about an exposure, see `describe_exposure`.

        Returns
        -------
        ``shape``, ``integrations``, ``marks``, ``header``, ``start``, ``occulter``, ``target`` and
        ``unreadable`` (cards) as `describe_exposure` reads them.
        ``place`` is the position of the star, ``matrix`` maps pixels to the sky, and ``roll`` is
        the direction of north in degrees; each is None if the headers do not contain it.
        ``star`` and ``north`` are the reasons why; both are empty if nothing is missing.
        """
        if self.is_made_first(path):
            return describe_demo_file(path)
        facts: Facts = self._get(path, "exposure", describe_exposure)
        return facts

    def mask(self, path: Path) -> Facts:
        """Return size, selectors and USEAFTER of a mask of the catalogue; all are required."""
        facts: Facts = self._get(path, "mask", describe_mask)
        return facts

    def named_mask(self, path: Path) -> Facts:
        """Return size and selectors of a mask that the configuration names for an exposure."""
        facts: Facts = self._get(path, "named_mask", describe_named_mask)
        return facts

    def background(self, path: Path) -> Background:
        """Return the background of an exposure, from its header and its pixels."""
        return Background(**self._get(path, "background", describe_background))

    def check_weight(
        self, path: Path, *, convention: str, occulter: tuple[float, float] | None
    ) -> None:
        """Refuse a mask whose pixels, read by a convention, cannot be the weights of a fit."""

        def weigh(path: Path) -> bool:
            read_weight(path, convention=convention, occulter=occulter)
            return True

        self._get(path, f"weight by {convention} around {occulter}", weigh)

    def recall(self, path: Path, key: str) -> Any:
        """Return a value remembered with a file; None without one, or if the file has changed."""
        return self._about(path).get(key)

    def remember(self, path: Path, key: str, value: Any) -> None:
        """Remember a value that JSON can contain, until the file changes."""
        self._about(path)[key] = value
        self._changed = True

    def look_again(self) -> None:
        """Look at all files again when they are next needed, because a run has changed some."""
        self._seen.clear()

    def save(self) -> None:
        """Write the facts to the disk; if that fails, the next run reads the files again."""
        if self._changed and not self._read_only:
            content = {"version": code_digest(THIS), "files": self._known}
            try:
                publish_bytes(self._place(), json.dumps(content).encode())
            except OSError:
                return
            self._changed = False

    def _get(self, path: Path, kind: str, describe: Callable[[Path], Any]) -> Any:
        known = self._about(path)
        if path in self.manifest:
            return self.manifest.fact(path, kind)
        if kind not in known:
            known[kind] = describe(path)
            self._changed = True
        return known[kind]

    def _about(self, path: Path) -> Facts:
        name = str(path)
        if name not in self._seen:
            self._seen[name] = self._look_at(path)
        return self._seen[name]

    def _look_at(self, path: Path) -> Facts:
        """Return the facts about the present version of a file, or those in the manifest."""
        listed = self.manifest.about(path)
        if listed is not None:
            return dict(listed)
        status = check_regular_file(path)
        signature = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        name = os.path.join(self._folder, path)  # noqa: PTH118 - quicker than Path.absolute
        known = self._known.get(name, {})
        if known.get("signature") != signature:
            known = self._known[name] = {"signature": signature}
        return known

    def _place(self) -> Path:
        """Return the file of facts; reading a campaign must not create the output directory."""
        if self._results is not None and self._results.is_dir():
            return self._results / KEPT
        return self._path

    def _load(self) -> dict[str, Facts]:
        for path in dict.fromkeys((self._place(), self._path)):
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                known = dict(content["files"])
                if content["version"] != code_digest(THIS):
                    known = {name: _lasting(facts) for name, facts in known.items()}
            except (OSError, ValueError, KeyError, TypeError):
                continue
            self._changed = path != self._place()
            return known
        return {}


def _lasting(facts: Facts) -> Facts:
    """Return the facts that are still valid after the code that reads files has changed."""
    return {key: facts[key] for key in LASTING if key in facts}


def describe_exposure(path: Path) -> Facts:
    """Read what `FactsStore.exposure` returns; the start is empty if the header lacks it."""
    exposure = Exposure(path)
    exposure.check_checksums()
    dated = all(text_of(exposure.primary, keyword) for keyword in START)
    return {
        "shape": exposure.shape[1:],
        "integrations": len(exposure),
        "marks": read_marks(exposure),
        "header": read_role_header(exposure),
        "occulter": exposure.occulter,
        "start": start_of(exposure.primary, path).isoformat() if dated else "",
        "unreadable": exposure.unreadable,
        "target": read_target(exposure),
        **_sky_of(exposure),
    }


def _sky_of(exposure: Exposure) -> Facts:
    """Read where star and north are; without these keywords, None and the reason."""
    place, star = _read(read_star, exposure)
    matrix, north = _read(read_matrix, exposure)
    return {
        "place": place,
        "star": star,
        "north": north,
        "matrix": None if matrix is None else matrix.tolist(),
        "roll": None if matrix is None else north_angle(matrix),
    }


def _read(read: Callable[[Exposure], Any], exposure: Exposure) -> tuple[Any, str]:
    """Return what a function reads, or None and the reason why it cannot."""
    try:
        return read(exposure), ""
    except InputError as error:
        return None, str(error)


def describe_background(path: Path) -> Facts:
    """Read what `FactsStore.background` returns."""
    return asdict(measure_background(Exposure(path)))


def describe_mask(path: Path) -> Facts:
    """Read what `FactsStore.mask` returns; headers suffice, as few of many masks are used."""
    entry = read_entry(path)
    return {
        "selectors": dict(entry.selectors),
        "useafter": entry.useafter.isoformat(),
        "shape": entry.shape,
    }


def describe_named_mask(path: Path) -> Facts:
    """Read what `FactsStore.named_mask` returns."""
    header, shape = read_mask_header(path)
    check_mask_checksums(path)
    check_reference_type(header, path)
    if text_of(header, "USEAFTER"):
        parse_useafter(header["USEAFTER"], path)
    return {"selectors": read_mask_selectors(header), "shape": shape}


def entry_of(path: Path, facts: Facts) -> MaskEntry:
    """Return the entry of the catalogue for a mask, from the facts about it."""
    useafter = parse_useafter(facts["useafter"], path)
    return MaskEntry(path, facts["selectors"], useafter, tuple(facts["shape"]))
