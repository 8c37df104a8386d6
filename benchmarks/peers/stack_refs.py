"""
Run StackRefsStep of the jwst in this environment.

Usage: stack_refs.py OUTPUT PSF [PSF ...].
"""

import sys

from jwst.coron import StackRefsStep


def main(output, *members):
    """Stack files."""
    StackRefsStep().run(list(members)).save(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
