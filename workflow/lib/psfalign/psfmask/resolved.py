"""The psfmask.json of an exposure: its mask, the reason, and how it is read."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from ..errors import InputError
from ..files.digest import sha256
from ..files.fits.structure import plain_text
from ..files.provenance.records import Record, Records
from ..files.release import unread
from ..files.text import read_text
from ..images.arrays import Image
from ..images.mask_weight import weigh
from ..system.atomic_file import publish_bytes
from .file import read_mask
from .uniform import Area, read_area

NOT_APPLICABLE = "N/A"
UNIFORM = "uniform"
NO_FILE = (NOT_APPLICABLE, UNIFORM)  # words in the place of a mask file
STEP = "resolve_psfmask"


@dataclass(frozen=True)
class ResolvedMask:
    """
    The mask that serves an exposure.

    Attributes
    ----------
    psfmask
        Path of the file, ``uniform`` for a weight of 1 in the science area, or ``N/A`` if the
        exposure is not aligned.
    sha256
        Its checksum.
    convention
        ``weight`` (1 = use) or ``exclude`` (1 = masked out); ``n/a`` for ``uniform``.
    decided_by
        ``auto``, ``header`` (of the mask) or ``configuration``.
    share_above_half
        Share of its pixels above 0.5, by which ``auto`` decides.
    selectors, useafter
        Selectors and USEAFTER of its header.
    reason
        Why it was chosen.
    source
        What chose it: ``catalogue``, ``configuration`` or ``crds``.
    notes
        Remarks for the log and the report.
    remark
        The contradictions between its header and the exposure, if the mask was named for it.
    area
        The pixels that have weight, if it is uniform.
    provenance
        The records of the step that chose it.
    """

    psfmask: str
    reason: str
    source: str = ""
    sha256: str = ""
    convention: str = ""
    decided_by: str = ""
    share_above_half: float | None = None
    selectors: dict[str, str] = field(default_factory=dict)
    useafter: str = ""
    notes: list[str] = field(default_factory=list)
    remark: str = ""
    area: Area | None = None
    provenance: Records = field(default_factory=list)

    @property
    def applies(self) -> bool:
        """Whether the exposure is aligned."""
        return self.psfmask != NOT_APPLICABLE

    @property
    def is_file(self) -> bool:
        """Whether the weight comes from a mask file."""
        return self.psfmask not in NO_FILE

    @property
    def file_name(self) -> str:
        """Name of the mask file without its folder."""
        return Path(self.psfmask).name if self.is_file else self.psfmask

    @property
    def reference_name(self) -> str:
        """Name of the file as the jwst pipeline writes it: ``crds://`` before those of CRDS."""
        return (
            f"crds://{self.file_name}" if self.is_file and self.source == "crds" else self.file_name
        )

    def records(self) -> Records:
        """Record which mask it is, what its header says, how it is read, and why."""
        facts = {
            "file": self.reference_name,
            "source": self.source,
            "reason": self.reason,
            **self.selectors,
            "USEAFTER": self.useafter,
            "convention": self.convention,
            "decided_by": self.decided_by,
            "share_above_half": "" if self.share_above_half is None else str(self.share_above_half),
        }
        told = [(name, text) for name, text in facts.items() if text]
        told += [("note", note) for note in self.notes]
        inputs = [Record(STEP, "input", plain_text(self.file_name), self.sha256)]
        return [
            *(inputs if self.is_file else []),
            *(Record(STEP, "mask", name, plain_text(text)) for name, text in told),
            *self.provenance,
        ]

    def write(self, path: Path) -> None:
        """Publish it as JSON."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"
        publish_bytes(path, text.encode())

    @classmethod
    def read(cls, path: Path) -> "ResolvedMask":
        """Read a file that `write` of this or another release wrote."""
        records: Records = []
        try:
            content = json.loads(read_text(path))
            records = [Record.of(entry) for entry in content.pop("provenance", [])]
            known = {f.name: content[f.name] for f in fields(cls) if f.name in content}
            area = read_area(known.pop("area", None))
            return cls(**known, provenance=records, area=area)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            problem = "is not a resolved mask, psfmask.json"
            refusal = InputError(problem, file=path, remedy="run resolve_psfmask first")
            raise unread(_release(records), refusal) from error

    def read_weight(self) -> Image:
        """
        Read the mask as a weight, (rows, columns) float64.

        Raises
        ------
        InputError
            If the mask file has changed since it was chosen.
        """
        if self.area is not None:
            return self.area.weight()
        path = Path(self.psfmask)
        image = read_mask(path)
        if sha256(path) != self.sha256:
            problem = "has changed since it was chosen"
            raise InputError(problem, file=path, remedy="run resolve_psfmask again")
        return weigh(image, convention=self.convention).image


def _release(records: Records) -> str:
    """Return the release of psfalign that resolved a mask."""
    return next((e.value for e in records if (e.kind, e.name) == ("software", "psfalign")), "")
