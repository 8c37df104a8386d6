"""The crds_manifest.json of a campaign: which mask CRDS chose for each exposure, and why."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..system.atomic_file import publish_bytes
from .resolved import NOT_APPLICABLE


@dataclass(frozen=True)
class CrdsChoice:
    """
    What CRDS says about an exposure.

    Attributes
    ----------
    psfmask
        Path of the mask, or ``N/A`` where the exposure is not to be aligned.
    context, rules
        The .pmap that was asked, and its mapping that decided.
    """

    psfmask: str
    context: str
    rules: str

    @property
    def reason(self) -> str:
        """By which rules it was chosen."""
        return f"CRDS {self.context}, {self.rules}"

    @property
    def files(self) -> list[Path]:
        """The mask, or nothing."""
        return [] if self.psfmask == NOT_APPLICABLE else [Path(self.psfmask)]


def render_manifest(choices: Mapping[str, CrdsChoice], digests: Mapping[str, str]) -> bytes:
    """Write the choices of all exposures as JSON, with the SHA-256 of each file by its path."""
    content = {
        name: asdict(choice) | {"sha256": digests.get(choice.psfmask, "")}
        for name, choice in choices.items()
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def write_manifest(
    path: Path, choices: Mapping[str, CrdsChoice], digests: Mapping[str, str]
) -> None:
    """Publish the choices of all exposures."""
    publish_bytes(path, render_manifest(choices, digests))
