"""Reads the weights of a PyTorch checkpoint without PyTorch."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_STORAGES = {
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "DoubleStorage": np.dtype("<f8"),
    "IntStorage": np.dtype("<i4"),
    "LongStorage": np.dtype("<i8"),
}


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a checkpoint that `torch.save` wrote in its format before 1.6 (one pickle stream, then the storages).

    A tensor is a view of a storage: an offset, a shape and strides. Transposed views are common in weights that were converted from
    TensorFlow, so the strides are honoured. Nothing in the file is executed: of all names that a pickle may ask for, only those of
    tensors are known.

    Args:
        path: a `.pth` file that holds a state dict.

    Returns:
        Array by name, each contiguous in the order of its shape.

    Raises:
        ValueError: another file, or a damaged one.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            if _plain(file) != _MAGIC or _plain(file) != _PROTOCOL:
                raise ValueError("it is not in PyTorch's format of before 1.6")
            _plain(file)
            storages: dict[str, _Storage] = {}
            state = _StateUnpickler(file, storages).load()
            for key in _plain(file):
                storages[str(key)].read(file)
        except (pickle.UnpicklingError, EOFError, KeyError, AttributeError, IndexError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a PyTorch checkpoint of weights: {error}") from error
    if not isinstance(state, dict) or not all(isinstance(each, _View) for each in state.values()):
        raise ValueError(f"{path} is not a PyTorch checkpoint of weights: it holds no state dict")
    try:
        return {str(name): view.array() for name, view in state.items()}
    except ValueError as error:
        raise ValueError(f"{path} is not a PyTorch checkpoint of weights: {error}") from error


class _Storage:
    def __init__(self, dtype: np.dtype[Any], count: int) -> None:
        self.dtype, self.count = dtype, count
        self.values: NDArray[Any] = np.empty(0, dtype)

    def read(self, file: BinaryIO) -> None:
        count = int.from_bytes(file.read(8), "little")
        if count != self.count:
            raise ValueError(f"a storage of {self.count} numbers holds {count}")
        content = file.read(count * self.dtype.itemsize)
        if len(content) != count * self.dtype.itemsize:
            raise ValueError("it ends too early")
        self.values = np.frombuffer(content, self.dtype)


class _View:
    def __init__(self, storage: _Storage, offset: int, shape: Sequence[int], strides: Sequence[int], *_: Any) -> None:
        self.storage, self.offset = storage, int(offset)
        self.shape, self.strides = tuple(map(int, shape)), tuple(map(int, strides))

    def array(self) -> NDArray[Any]:
        if len(self.shape) != len(self.strides) or min((self.offset, *self.shape, *self.strides), default=0) < 0:
            raise ValueError("a tensor has a shape that does not go with its strides")
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if 0 in self.shape:
            return np.empty(self.shape, self.storage.dtype)
        if last >= len(self.storage.values):
            raise ValueError("a tensor reaches beyond its storage")
        size = self.storage.dtype.itemsize
        view = as_strided(self.storage.values[self.offset :], self.shape, [step * size for step in self.strides])
        return np.ascontiguousarray(view)


class _StateUnpickler(pickle.Unpickler):  # noqa: S301 - it makes nothing but tensors
    def __init__(self, file: BinaryIO, storages: dict[str, _Storage]) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _View
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, count, *_ = pid
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError("it refers to something other than a storage")
        return self._storages.setdefault(str(key), _Storage(dtype, int(count)))


class _PlainUnpickler(pickle.Unpickler):  # noqa: S301 - it makes numbers and texts alone
    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _plain(file: BinaryIO) -> Any:
    load: Callable[[], Any] = _PlainUnpickler(file).load
    return load()
