"""
Let the crds library choose masks, offline, in a separate process, with JSON as input and output.

crds reads the environment when it is imported, writes its own log, and ends the process if its
cache lacks a file. `psfalign.campaign.crds` starts this module as a process, so that this does no
harm.
"""

import json
import os
import sys
from typing import Any

from ..errors import InputError, MaskError, PsfalignError

KIND = "psfmask"
NOT_APPLICABLE = "N/A"
OMIT = "OMIT"
# Parameter of CRDS: keyword of a science header.
PARAMETERS = {
    "META.INSTRUMENT.NAME": "INSTRUME",
    "META.INSTRUMENT.FILTER": "FILTER",
    "META.INSTRUMENT.CORONAGRAPH": "CORONMSK",
    "META.SUBARRAY.NAME": "SUBARRAY",
    "META.OBSERVATION.DATE": "DATE-OBS",
    "META.OBSERVATION.TIME": "TIME-OBS",
}
LAST_DAY = "9999-12-31"


def main() -> None:
    """Read ``{context, exposures}`` from standard input and answer each exposure in order."""
    request = json.load(sys.stdin)
    answers = os.dup(1)
    os.dup2(2, 1)  # what crds prints must not mix with the answers
    found = [_answer(request["context"], exposure) for exposure in request["exposures"]]
    with open(answers, "w", encoding="utf-8") as stream:
        json.dump(found, stream)


def _answer(context: str, exposure: dict[str, Any]) -> dict[str, Any]:
    try:
        return look_up(context, exposure["header"], exposure["file"])
    except PsfalignError as error:
        return {"error": type(error).__name__, **vars(error)}
    except (Exception, SystemExit) as error:  # any error that crds may raise
        words = f"{type(error).__name__} {error}"
        failure = _damaged(os.environ["CRDS_PATH"], f"crds fails with {words}", context)
        return {"error": "InputError", **vars(failure)}


def look_up(context: str, header: dict[str, str], file: str) -> dict[str, Any]:
    """
    Choose the mask of one exposure.

    Parameters
    ----------
    context
        The .pmap whose rules are used.
    header
        INSTRUME, FILTER, CORONMSK, SUBARRAY, DATE-OBS and TIME-OBS of the exposure.
    file
        The exposure, for errors.

    Returns
    -------
    dict
        ``reference``: the path of the mask in the cache (it may be missing), or ``N/A``;
        ``rules``: the mapping that decided; ``read``: the paths of all files that were used.

    Raises
    ------
    InputError, MaskError
        If the cache cannot be used, or there is no mask.
    """
    from crds.core import config

    known_bad = _read_server_config(context)
    chain = _mappings(context, header["INSTRUME"], file)
    rules = chain[-1]
    answer = {
        "reference": NOT_APPLICABLE,
        "rules": rules,
        "read": [
            config.locate_config("server_config", "jwst"),
            *(config.locate_mapping(name) for name in chain),
        ],
    }
    parameters = {name: header[keyword] for name, keyword in PARAMETERS.items()}
    found = _recommend(rules, parameters) if rules.endswith(".rmap") else NOT_APPLICABLE
    for name in (*chain, found):
        if name in known_bad:
            raise MaskError(
                f"CRDS {context} chooses by or gives {name}, which it calls scientifically invalid",
                file=file,
                remedy="configure another psfmask.crds.context, or name a psfmask for the exposure",
            )
    if found.startswith("NOT FOUND") and found.upper() != "NOT FOUND N/A":
        raise _no_match(context, rules, parameters, header, file, found)
    if "N/A" not in found.upper():
        answer["reference"] = config.relocate_reference(found, "jwst", parameters=parameters)
    return answer


def _read_server_config(context: str) -> set[str]:
    """Return the files that are known to be bad."""
    from crds.core import config, heavy_client

    try:
        known_bad: set[str] = heavy_client.get_config_info("jwst").bad_files_set
    except (Exception, SystemExit) as error:
        path = config.locate_config("server_config", "jwst")
        raise _damaged(path, "crds cannot read it", context) from error
    return known_bad


def _mappings(context: str, instrument: str, file: str) -> list[str]:
    """Name the mappings that lead to the rules; fewer if one says that there are none."""
    chain = [context]
    for key in (instrument, KIND):
        selector = {name.lower(): value for name, value in _load(chain[-1], context).items()}
        following = selector.get(key.lower(), OMIT)
        if following.upper() == OMIT:
            problem = f"CRDS {', '.join(chain)} has no psf masks for {instrument}"
            raise MaskError(problem, file=file, remedy="name a psfmask for the exposure")
        if following.upper() == NOT_APPLICABLE:
            return chain
        chain.append(following)
    _load(chain[-1], context)
    return chain


def _load(name: str, context: str) -> Any:
    """Load a mapping and give its selector; all its siblings stay unread, and may be missing."""
    from crds.core import config, rmap
    from crds.core.exceptions import ChecksumError

    path = config.locate_mapping(name)
    try:
        return rmap.get_cached_mapping(name).selector
    except FileNotFoundError as error:
        raise _damaged(path, "no such file", context) from error
    except ChecksumError as error:
        problem = "its sha1sum is not that of its content; it was edited or damaged"
        raise _damaged(path, problem, context) from error
    except Exception as error:
        raise _damaged(path, f"crds cannot read it: {error}", context) from error


def _recommend(rules: str, parameters: dict[str, str]) -> str:
    """Ask crds for the name of a file, without fetching it; `fast` spares it the other rules."""
    from crds import getrecommendations

    found = getrecommendations(
        parameters, reftypes=[KIND], context=rules, observatory="jwst", fast=True
    )
    return str(found.get(KIND, f"NOT FOUND {OMIT}"))


def _no_match(
    context: str,
    rules: str,
    parameters: dict[str, str],
    header: dict[str, str],
    file: str,
    found: str,
) -> MaskError:
    words = ", ".join(f"{key}={value}" for key, value in header.items())
    later = _recommend(rules, {**parameters, "META.OBSERVATION.DATE": LAST_DAY})
    reason = found.removeprefix("NOT FOUND").strip()
    if not later.startswith("NOT FOUND"):
        reason = "its masks serve later exposures only"
    return MaskError(
        f"CRDS {context}, {rules} has no mask for {words}: {reason}",
        file=file,
        remedy="name a psfmask for the exposure",
    )


def _damaged(path: str, problem: str, context: str) -> InputError:
    return InputError(problem, file=path, remedy=f"fetch it: crds sync --contexts {context}")


if __name__ == "__main__":
    main()
