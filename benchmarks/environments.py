"""Virtual environments of the peers, each with its releases pinned, made once and then kept."""

import shutil
import subprocess
import sys
from pathlib import Path

ENVIRONMENTS = Path(__file__).parent / ".envs"
PYTHON = "3.11"  # jwst 1.15 and 1.16 have no wheels of their dependencies for much newer ones
PEERS = {
    "1.15.1": ("jwst==1.15.1",),  # the last with a 4D product; it requires NumPy < 2 itself
    "1.16.1": ("jwst==1.16.1", "numpy<2"),  # 3D product; with NumPy 2 it does not align float32
    "3.0.0": ("jwst==3.0.0",),
    "pyklip 2.10.1": ("pyklip==2.10.1",),
    # What spaceKLIP imports; it comes as a checkout. It wants NumPy < 2, newer pyKLIP NumPy 2.
    "spaceklip needs": (
        *("jwst==1.16.1", "pyklip==2.8.4", "numpy<2", "astroquery", "pysiaf", "emcee", "corner"),
        *("lmfit", "pandas", "scikit-image", "ipywidgets", "tqdm"),
    ),
}


def peer_python(release: str) -> Path:
    """Return the interpreter with a release of jwst, or of a program that is named with it."""
    folder = ENVIRONMENTS / (release.replace(" ", "-") if " " in release else f"jwst-{release}")
    python = folder / "bin" / "python"
    if not (folder / "done").exists():
        print(f"making {folder.name}: {' '.join(PEERS[release])}", file=sys.stderr)
        subprocess.run([_base_python(), "-m", "venv", "--clear", folder], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *PEERS[release]]
        subprocess.run(install, check=True)
        (folder / "done").touch()
    return python


def peer_versions(release: str) -> dict[str, str]:
    """Return the versions of what matters in a peer's environment."""
    code = (
        "from importlib.metadata import version as v, packages_distributions as p\n"
        "found = {n for names in p().values() for n in names}\n"
        "for n in ('jwst', 'pyklip', 'numpy', 'scipy', 'stdatamodels'):\n"
        "    if n in found: print(n, v(n))"
    )
    answer = subprocess.run(
        [peer_python(release), "-c", code], check=True, text=True, stdout=subprocess.PIPE
    )
    return dict(line.split() for line in answer.stdout.splitlines())


def _base_python() -> str:
    python = shutil.which(f"python{PYTHON}")
    if python is None:
        sys.exit(f"the peers need python{PYTHON} on the path")
    return python


def main() -> None:
    """Make the environments that are missing."""
    for release in PEERS:
        print(", ".join(f"{name} {version}" for name, version in peer_versions(release).items()))


if __name__ == "__main__":
    main()
