"""
Look for known vulnerabilities of packages in the locks; report if this is not possible.

Run as ``audit.py LOCK…``. The exit code is 1 if there are any.
"""

import json
import subprocess
import sys

COMMAND = ["-m", "pip_audit", "--require-hashes", "--disable-pip", "--progress-spinner", "off"]
TIMEOUT = "15"  # seconds


def audit(lock: str) -> bool:
    """Print the vulnerabilities of packages of a lock, and return whether there are any."""
    options = ["--timeout", TIMEOUT, "--format", "json", "--requirement", lock]
    command = [sys.executable, *COMMAND, *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(result.stdout)["dependencies"]
    except ValueError:
        if "ConnectionError" in result.stderr:
            print(f"{lock}: not checked, no network")
            return False
        print(f"{lock}: pip-audit failed: {result.stderr[-500:]}")
        return True
    return report(lock, packages)


def report(lock: str, packages: list[dict]) -> bool:
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if len(unknown) == len(packages):
        print(f"{lock}: not checked, the package index has no list of vulnerabilities")
        return False
    vulnerable = [package for package in packages if package.get("vulns")]
    for package in vulnerable:
        known = ", ".join(entry["id"] for entry in package["vulns"])
        print(f"{lock}: {package['name']} {package['version']}: {known}")
    checked = len(packages) - len(unknown)
    print(f"{lock}: {checked} packages checked, {len(vulnerable)} vulnerable; unknown: {unknown}")
    return bool(vulnerable)


if __name__ == "__main__":
    found = [audit(lock) for lock in sys.argv[1:]]
    sys.exit(any(found))
