"""What commands that train or export ask for before they import TensorFlow."""

from __future__ import annotations

import os
from importlib.util import find_spec

from training.errors import TrainingUnavailable


def require_tensorflow() -> None:
    """Raises TrainingUnavailable where TensorFlow is not installed; otherwise keeps it quiet about the libraries it looks for."""
    if find_spec("tensorflow") is None:
        raise TrainingUnavailable("TensorFlow is not installed: install the extra `train` (make setup)")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # noqa: TID251  # read by TensorFlow alone
