"""PyTorch checkpoints in the format of before 1.6, written without PyTorch."""

from __future__ import annotations

import io
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.torch_files import _MAGIC, _PROTOCOL


class View:
    """A tensor: shape and strides over a storage of float32 numbers."""

    def __init__(self, values: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> None:
        self.values = np.ascontiguousarray(values, np.float32).ravel()
        self.shape, self.strides, self.offset = shape, strides, offset

    @classmethod
    def of(cls, array: Any) -> View:
        """A tensor that lies in memory in the order of its shape."""
        array = np.asarray(array, np.float32)
        return cls(array, array.shape, tuple(step // 4 for step in array.strides))


class _Storage:
    def __init__(self, key: int, count: int) -> None:
        self.key, self.count = key, count


def save_checkpoint(path: Path, tensors: Mapping[str, View], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write what `torch.save(state_dict)` wrote. The names of PyTorch exist while it is written."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    storage_type = type("FloatStorage", (), {"__module__": "torch"})

    def rebuild(*arguments: Any) -> None:
        raise AssertionError(arguments)

    rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = "torch._utils", *2 * ["_rebuild_tensor_v2"]
    torch.FloatStorage, utils._rebuild_tensor_v2 = storage_type, rebuild

    class Tensor:
        def __init__(self, view: View, key: int) -> None:
            self.arguments: tuple[Any, ...] = (
                _Storage(key, len(view.values)),
                view.offset,
                view.shape,
                view.strides,
                False,
                OrderedDict(),
            )

        def __reduce__(self) -> Any:
            return rebuild, self.arguments

    class Pickler(pickle.Pickler):
        def persistent_id(self, each: Any) -> Any:
            if isinstance(each, _Storage):
                return "storage", storage_type, str(each.key), "cpu", each.count, None
            return None

    file = io.BytesIO()
    for header in (_MAGIC, _PROTOCOL, {"little_endian": True}):
        pickle.dump(header, file, protocol=2)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)
        state = OrderedDict((name, Tensor(view, key)) for key, (name, view) in enumerate(tensors.items()))
        Pickler(file, protocol=2).dump(state)
    pickle.dump([str(key) for key in range(len(tensors))], file, protocol=2)
    for view in tensors.values():
        file.write(len(view.values).to_bytes(8, "little") + view.values.tobytes())
    path.write_bytes(file.getvalue())
    return path
