"""How often Python looks for garbage, in processes that have loaded the program."""

from __future__ import annotations

import gc


def look_for_garbage() -> None:
    """Look for garbage from now on, and not in what is loaded by now, which stays.

    By default Python looks after each 700 new objects: several times a request, which took a twentieth of the processor time, and
    hundreds of times in a reindex, which took a tenth.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()
