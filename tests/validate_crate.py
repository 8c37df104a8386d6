"""
Validate an RO-Crate with the community's validator, without a network.

Run as ``validate_crate.py FOLDER PROFILE LEVEL``: a profile such as workflow-run-crate-0.5, and
REQUIRED or RECOMMENDED. Prints what does not hold, a line each. The validator looks up the JSON-LD
context of RO-Crate 1.1; the copy that the package rocrate brings is put into its cache first.
"""

import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from requests_cache import CachedSession
from requests_cache.models import CachedRequest, CachedResponse
from rocrate_validator import services
from rocrate_validator.models import ValidationSettings

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


def fill_cache(path: Path) -> None:
    content = (files("rocrate") / "data" / "ro-crate.jsonld").read_bytes()
    session = CachedSession(cache_name=str(path), backend="sqlite", expire_after=-1)
    request = CachedRequest(method="GET", url=CONTEXT)
    headers = {"Content-Type": "application/ld+json"}
    response = CachedResponse(
        status_code=200, url=CONTEXT, request=request, headers=headers, content=content
    )
    session.cache.save_response(response)
    session.close()


def main(folder: str, profile: str, level: str) -> int:
    with tempfile.TemporaryDirectory() as name:
        cache = Path(name) / "http"
        fill_cache(cache)
        settings = ValidationSettings(
            rocrate_uri=folder,
            profile_identifier=profile,
            requirement_severity=level,
            offline=True,
            cache_path=cache,
        )
        result = services.validate(settings)
    for issue in result.get_issues():
        print(f"{issue.severity.name} {issue.check.identifier}: {issue.message}")
    print(f"{len(result.executed_checks)} checks")
    return int(not result.passed())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
