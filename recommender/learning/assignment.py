"""Which requests get what: by a hash of product and hour, since no cookie identifies a visitor.

All who look at a product within an hour see the same, and an event, which has both, says by itself what was shown.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

HOUR_S = 3600

# The purposes of a hash; each gets shares of its own, independent of the others'. Experiments have their own numbers from here.
YARDSTICK, EXPLORING, HELD_OUT, CHOOSING, FIRST_EXPERIMENT = 1, 2, 3, 4, 1000

# The share of requests that the learned order never touches, so that there is always something to compare it with.
YARDSTICK_SHARE = 0.05


def hour_of(moment: datetime) -> int:
    """The hour of a moment, as a number: hours since the epoch."""
    return int(moment.timestamp() // HOUR_S)


def share_of(product_ids: NDArray[np.int64], hours: NDArray[np.int64], purpose: int) -> NDArray[np.float64]:
    """A number for each product and hour, as if drawn from [0, 1), and always the same (SplitMix64; Steele et al., 2014).

    Args:
        product_ids: int64 [n].
        hours: int64 [n], from `hour_of`.
        purpose: numbers of different purposes are independent of each other.

    Returns:
        float64 [n].
    """
    with np.errstate(over="ignore"):
        mixed = _mix(np.asarray(product_ids, np.uint64) + np.uint64(purpose) * _GOLDEN)
        mixed = _mix(mixed ^ (np.asarray(hours, np.uint64) * _GOLDEN))
    return np.asarray(mixed >> np.uint64(11), np.float64) * 2.0**-53


def share(product_id: int, hour: int, purpose: int) -> float:
    """The number of one product and hour; see `share_of`."""
    mixed = _mix_one((product_id + purpose * int(_GOLDEN)) & _MASK)
    return float((_mix_one(mixed ^ (hour * int(_GOLDEN) & _MASK)) >> 11) * 2.0**-53)


def is_yardstick(product_id: int, hour: int) -> bool:
    """Whether recommendations beside a product stay unlearned in an hour."""
    return share(product_id, hour, YARDSTICK) < YARDSTICK_SHARE


_MASK = 2**64 - 1
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = state + _GOLDEN
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))


def _mix_one(state: int) -> int:
    state = (state + int(_GOLDEN)) & _MASK
    state = ((state ^ (state >> 30)) * int(_FIRST)) & _MASK
    state = ((state ^ (state >> 27)) * int(_SECOND)) & _MASK
    return state ^ (state >> 31)
