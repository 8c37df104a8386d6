"""The documentation site: Sphinx reads the Markdown pages of the whole repository."""

import logging
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE / "sphinx"), str(ROOT / "workflow" / "lib")]

from psfalign import __version__  # noqa: E402

logging.getLogger("numexpr").setLevel(logging.WARNING)  # it tells how many threads it has

project = "psfalign"
author = "The psfalign developers"
release = version = __version__
project_copyright = author
language = "en"

# Pages stay where their links work without the site, too, so the source is the repository.
root_doc = "docs/index"
include_patterns = ["docs/**.md", "config/README.md", "benchmarks/**.md", "CHANGELOG.md"]
exclude_patterns = ["benchmarks/.envs"]
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "mathml",
    "python_reference",
]
suppress_warnings = [
    "ref.python",  # a short name in a signature that two modules have
]

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

default_role = "py:obj"
napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # python_reference writes signatures as the source has them
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = f"psfalign {release}"
html_static_path = ["sphinx/static"]
html_css_files = ["psfalign.css"]
html_extra_path = ["sphinx/start"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False


def setup(app: Any) -> None:
    """Leave pages out of the table of contents that have not been written yet."""
    app.connect("source-read", drop_missing)


def drop_missing(_app: Any, name: str, source: list[str]) -> None:
    """Drop them from the page that lists them all."""
    if name == root_doc:
        pages = ("cluster", "archive", "accuracy", "scale", "reliability")
        for page in pages:
            if not (HERE / f"{page}.md").exists():
                source[0] = source[0].replace(f"\n{page}\n", "\n")
