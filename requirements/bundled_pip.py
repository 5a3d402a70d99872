"""python requirements/bundled_pip.py ARGUMENTS: run the pip that comes with Python, which is a wheel, without installing it."""

from __future__ import annotations

import runpy
import sys
import sysconfig
from pathlib import Path


def main() -> str:
    """Run pip with the arguments of the command line; it ends the program.

    Returns:
        What is wrong and what to do, where there is no pip.
    """
    try:
        import ensurepip
    except ImportError:
        return "this Python has no ensurepip: install it; on Debian and Ubuntu, `apt install python3-venv`"
    # Debian and Fedora keep the wheels of their Pythons in a folder of their own.
    folders = [sysconfig.get_config_var("WHEEL_PKG_DIR"), Path(ensurepip.__file__).parent / "_bundled"]
    wheels = [wheel for folder in folders if folder for wheel in sorted(Path(folder).glob("pip-*.whl"))]
    if not wheels:
        return "ensurepip has no wheel of pip: make the environment by `python3 -m venv .venv`, then repeat this"
    sys.path.insert(0, str(wheels[0]))
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
    return "pip did not end the program"


if __name__ == "__main__":
    sys.exit(main())
