"""Use the library that belongs to the rules, also if they were downloaded, and no other one."""

# Only files on this disk have a path. Otherwise, Snakemake downloads each file that is requested,
# and puts all of them into one folder tree.
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
