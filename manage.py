#!/usr/bin/env python
"""The command line of the project."""

import atexit
import gc
import os
import sys

if __name__ == "__main__":
    # What is imported stays: to look for garbage in it takes an eighth of the start. `execute` looks for it again afterwards.
    gc.disable()
    # The collection of garbage when Python ends would go through the objects of all libraries: half a second.
    atexit.register(gc.freeze)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lookalike.settings")
    from lookalike.command_line import execute, index_what_is_pending

    execute(sys.argv)
    index_what_is_pending()
