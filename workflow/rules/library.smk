"""The library comes along with the rules, from wherever they came; no other one is ever used."""

# Only what lies on this disk has a path. From elsewhere, the engine takes each file that it is
# asked for, and puts them into one tree.
if hasattr(workflow.current_basedir, "__fspath__"):
    HOME = Path(workflow.current_basedir).parent
else:
    HERE = Path(workflow.source_path("../carried.txt"))
    for name in HERE.read_text(encoding="utf-8").split():
        workflow.source_path(f"../../{name}")
    HOME = HERE.parent

LIBRARY = HOME / "lib" / "psfalign"
sys.path.insert(0, str(LIBRARY.parent))
import psfalign

FOUND = Path(psfalign.__file__).parent
if FOUND.resolve() != LIBRARY.resolve():
    raise SystemExit(
        f"psfalign: error: {FOUND}: version {psfalign.__version__} was imported before the library "
        f"of these rules, {LIBRARY}; use one psfalign in a workflow, and take the other off "
        "PYTHONPATH"
    )
