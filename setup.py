"""What pyproject.toml cannot say: a wheel holds the workflow, too."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

LISTED = Path("workflow/carried.txt")
FOLDERS = ("config", "profiles")


class WithWorkflow(build_py):
    """Build the library, and put all files that the workflow consists of beside it."""

    def run(self) -> None:
        """Copy the workflow, unless what is installed is this folder itself."""
        super().run()
        if self.editable_mode:
            return
        copy = Path(self.build_lib, "psfalign_workflow")
        for name in LISTED.read_text(encoding="utf-8").split():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(name, copy / name)
        for name in FOLDERS:
            shutil.copytree(name, copy / name, dirs_exist_ok=True)


setup(cmdclass={"build_py": WithWorkflow})
