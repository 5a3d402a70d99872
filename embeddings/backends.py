"""The only factory: settings name the adapters, everything else gets a port."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.utils.module_loading import import_string

from embeddings.encoders.base import Encoder
from embeddings.encoders.litert import LiteRTEncoder
from embeddings.encoders.mapped import MAP_SUFFIX, MappedEncoder
from embeddings.encoders.text import MODEL as TEXT_MODEL
from embeddings.encoders.text import TextEncoder
from embeddings.encoders.text_map import TextMap, read_text_map
from embeddings.errors import EncoderMismatch, EncoderUnavailable, RankerUnavailable
from embeddings.ranking.candidates import Ranker
from embeddings.ranking.files import fingerprint_of, open_ranker
from embeddings.registry import registry
from embeddings.vector_index.base import VectorIndex
from stores import base as stores
from stores.errors import StoreError

_ENCODERS = Path(__file__).parent / "encoders"
BUNDLED = _ENCODERS / "bundled" / "model.tflite"
BUNDLED_FAST = _ENCODERS / "bundled_fast" / "model.tflite"
# The encoders that come with the project, by the names that DEFAULT_ENCODER and versions call them.
BUNDLED_ENCODERS = {"bundled": BUNDLED, "bundled-fast": BUNDLED_FAST}
_WEIGHTS = "weights.tflite"
_KEPT_RANKERS = 8
_EMBEDDED = "embeddings.vector_index.edge.EdgeVectorIndex"


class Backends:
    """The encoders and the vector index of this process, each made when it is first asked for.

    A setting that is changed, as tests do, gets adapters of its own.
    """

    def __init__(self) -> None:
        # Two threads that ask first would make two, and the second embedded index finds its files locked by the first.
        self._making = threading.Lock()
        self._encoders: dict[tuple[str, str, int], Encoder] = {}
        self._rankers: dict[tuple[str, str, str], Ranker] = {}
        self._text_encoders: dict[tuple[str, str, int], TextEncoder] = {}
        # Folders that their text encoders read from as long as the process lives.
        self._folders = ExitStack()
        atexit.register(self._folders.close)
        # The last one of each store: a new training takes its place.
        self._text_maps: dict[str, tuple[str, TextMap]] = {}
        # With the setting that it was made from.
        self._vector_index: tuple[Any, VectorIndex] | None = None
        # What a command asks in its place.
        self.own_vector_index: VectorIndex | None = None

    def encoder(self, name: str | None = None) -> Encoder:
        """See `get_encoder`."""
        key = (name or settings.DEFAULT_ENCODER, stores.encoders().place, settings.ENCODER_THREADS)
        found = self._encoders.get(key)
        if found is None:
            with self._making:
                found = self._encoders.get(key)
                if found is None:
                    found = self._encoders[key] = _load_encoder(key[0], key[2])
        return found

    def ranker(self, spec: RankerSpec) -> Ranker:
        """See `ranker_of`."""
        key = (stores.encoders().place, spec.files, spec.fingerprint)
        found = self._rankers.get(key)
        if found is None:
            with self._making:
                found = self._rankers.get(key)
                if found is None:
                    # One is active in a collection, and few collections have one: former ones are not kept.
                    if len(self._rankers) >= _KEPT_RANKERS:
                        self._rankers.clear()
                    found = self._rankers[key] = _load_ranker(spec)
        return found

    def text_encoder(self, name: str) -> TextEncoder:
        """See `get_text_encoder`."""
        key = (name, stores.encoders().place, settings.ENCODER_THREADS)
        found = self._text_encoders.get(key)
        if found is None:
            with self._making:
                found = self._text_encoders.get(key)
                if found is None:
                    folder = self._folders.enter_context(_text_encoder_folder(name))
                    found = self._text_encoders[key] = TextEncoder(folder, threads=settings.ENCODER_THREADS)
        return found

    def text_map(self, name: str) -> TextMap:
        """See `get_text_map`."""
        store = stores.encoders()
        found = self._text_maps.get(store.place)
        if found is None or found[0] != name:
            try:
                with store.local(name) as path:
                    found = self._text_maps[store.place] = (name, read_text_map(path))
            except FileNotFoundError as error:
                raise EncoderUnavailable(f"there is no text map {store.place}/{name}") from error
            except StoreError as error:
                raise EncoderUnavailable(f"the text map {name} cannot be fetched: {error}") from error
        return found[1]

    def vector_index(self) -> VectorIndex:
        """See `get_vector_index`."""
        if self.own_vector_index is not None:
            return self.own_vector_index
        made = self._vector_index
        if made is None or made[0] is not settings.VECTOR_INDEX:
            with self._making:
                made, wanted = self._vector_index, settings.VECTOR_INDEX
                if made is None or made[0] is not wanted:
                    made = self._vector_index = (wanted, _make_vector_index(wanted))
        return made[1]


def get_encoder(name: str | None = None) -> Encoder:
    """The encoder of a name, one instance for this process.

    Args:
        name: one of BUNDLED_ENCODERS, or the path of a LiteRT file, in the store of encoders or as it stands; None: the setting
            DEFAULT_ENCODER.

    Returns:
        The encoder. Its model is read when its dimensions are first asked for.

    Raises:
        EncoderUnavailable: there is no such file, or it cannot be read.
    """
    return registry.get(Backends).encoder(name)


@contextmanager
def encoder_files(name: str) -> Iterator[tuple[Path, Path | None]]:
    """The files of an encoder, for a copy.

    Args:
        name: as for `get_encoder`.

    Yields:
        The LiteRT file, and the map behind it; None without one.

    Raises:
        EncoderUnavailable: there is no such file, or it cannot be read.
    """
    with ExitStack() as stack:
        path = _encoder_file(name, stack)
        if path.suffix == MAP_SUFFIX:
            yield _encoder_file(MappedEncoder(path, get_encoder).base_name, stack), path
        else:
            yield path, None


def get_text_encoder(name: str) -> TextEncoder:
    """The text encoder of a name, one instance for this process.

    Args:
        name: a folder in the store of encoders.

    Returns:
        The encoder. Its files are read when it is first used.

    Raises:
        EncoderUnavailable: there is no such folder, a file is missing in it, or the package that splits texts is.
    """
    return registry.get(Backends).text_encoder(name)


def bundled_weights(name: str) -> Path:
    """The file of a bundled encoder's weights in float16, beside the model that serves, which has them in int8.

    Args:
        name: one of BUNDLED_ENCODERS.

    Returns:
        A file for `training.litert_files.read_litert`, of the same input size and embedding dimension as the model that serves.
    """
    return BUNDLED_ENCODERS[name].with_name(_WEIGHTS)


def get_text_map(name: str) -> TextMap:
    """The text map of a name, read once.

    Args:
        name: of a file in the store of encoders.

    Returns:
        The map.

    Raises:
        EncoderUnavailable: the file is missing or damaged.
    """
    return registry.get(Backends).text_map(name)


def is_map_of(name: str, folder: str) -> bool:
    """Whether an encoder is a map of one whose files are in a folder.

    Args:
        name: of the encoder.
        folder: in the store of encoders.

    Returns:
        False for an encoder that is no map, and for a map that cannot be read.

    Raises:
        StoreError: the store of encoders is away.
    """
    if not name.endswith(MAP_SUFFIX):
        return False
    try:
        with stores.encoders().local(name) as path:
            return MappedEncoder(path, get_encoder).base_name.startswith(f"{folder}/")
    except (EncoderUnavailable, FileNotFoundError):
        return False


def open_encoder_file(path: Path) -> Encoder:
    """The encoder of a file that no version has yet.

    Args:
        path: of a LiteRT file, or of a map of another encoder.

    Returns:
        The encoder.

    Raises:
        EncoderUnavailable: the file cannot be read.
    """
    return _open_file(path, 1)


def get_vector_index() -> VectorIndex:
    """The vector index that the setting VECTOR_INDEX names, one instance for this process."""
    return registry.get(Backends).vector_index()


@contextmanager
def own_vector_index(**options: Any) -> Iterator[VectorIndex]:
    """Have `get_vector_index` give an index of this process's own; for commands, not for a process that serves.

    Args:
        **options: of the backend, in place of those of the setting VECTOR_INDEX.

    Yields:
        The index, which is closed afterwards.
    """
    served = settings.VECTOR_INDEX
    index = _make_vector_index({**served, "OPTIONS": {**served["OPTIONS"], **options}})
    backends = registry.get(Backends)
    backends.own_vector_index = index
    try:
        yield index
    finally:
        backends.own_vector_index = None
        index.close()


@contextmanager
def embedded_index(folder: Path) -> Iterator[VectorIndex]:
    """An index by the embedded engine beside that of this process, whichever the setting VECTOR_INDEX names.

    Args:
        folder: of its shards.

    Yields:
        The index, which is closed afterwards.
    """
    index = _make_vector_index({"BACKEND": _EMBEDDED, "OPTIONS": {"path": folder}})
    try:
        yield index
    finally:
        index.close()


class RankerSpec(Protocol):
    """What a version of a ranker says of its files: a `RankerVersion` row, or a `LiveRanker`."""

    @property
    def label(self) -> str:
        """How users name the version."""

    @property
    def kind(self) -> str:
        """A value of `RankerVersion.Kind`."""

    @property
    def files(self) -> str:
        """Its folder in the store of encoders."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its files."""


def ranker_of(version: RankerSpec) -> Ranker:
    """The ranker of a version, checked to have the files that it was registered with; one instance for this process.

    Args:
        version: the row of the version, or what is live of it.

    Returns:
        The ranker.

    Raises:
        RankerUnavailable: its files are missing, damaged or others.
    """
    return registry.get(Backends).ranker(version)


def _load_ranker(spec: RankerSpec) -> Ranker:
    store = stores.encoders()
    replaced = f"the files of the ranker {spec.label} in {store.place}/{spec.files} are missing or were replaced"
    try:
        with store.local_folder(spec.files) as folder:
            if fingerprint_of(folder) != spec.fingerprint:
                raise RankerUnavailable(replaced)
            return open_ranker(folder, spec.kind)
    except FileNotFoundError as error:
        raise RankerUnavailable(replaced) from error
    except StoreError as error:
        raise RankerUnavailable(f"the files of the ranker {spec.label} cannot be fetched: {error}") from error


class EncoderSpec(Protocol):
    """What a version of an encoder says of its model: an `EncoderVersion` row, or a `LiveCollection`."""

    @property
    def label(self) -> str:
        """How users name the version."""

    @property
    def encoder(self) -> str:
        """A name for `get_encoder`."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the model that made the version's vectors."""

    @property
    def dim(self) -> int:
        """Length of the version's vectors."""


def encoder_of(version: EncoderSpec) -> Encoder:
    """The encoder of a version, checked to be the model that made the version's vectors.

    Args:
        version: the row of the version, or what is live of it.

    Returns:
        The encoder.

    Raises:
        EncoderUnavailable: its file is missing, damaged or no model.
        EncoderMismatch: its file is another model than the one that made the version's vectors.
    """
    encoder = get_encoder(version.encoder)
    try:
        dim = encoder.dim
    except EncoderUnavailable as error:
        raise EncoderUnavailable(f"{version.label}: {error}") from error
    if encoder.fingerprint != version.fingerprint:
        raise EncoderMismatch(
            f"{version.label} was made by model {version.fingerprint[:12]},"
            f" but {version.encoder!r} is now {encoder.fingerprint[:12]}"
        )
    if dim != version.dim:
        raise EncoderMismatch(
            f"{version.label} has vectors of {version.dim} dimensions, but {version.encoder!r} gives {dim}"
        )
    return encoder


def _load_encoder(name: str, threads: int) -> Encoder:
    with ExitStack() as stack:
        return _open_file(_encoder_file(name, stack), threads)


def _encoder_file(name: str, stack: ExitStack) -> Path:
    """The file of an encoder, as long as the stack is open."""
    if name in BUNDLED_ENCODERS:
        return BUNDLED_ENCODERS[name]
    store, path = stores.encoders(), Path(name)
    places = [name]
    if not path.is_absolute():
        places = [f"{store.place}/{name}", name]
        try:
            return stack.enter_context(store.local(name))
        except StoreError as error:
            raise EncoderUnavailable(f"the encoder {name!r} cannot be fetched: {error}") from error
        except (FileNotFoundError, SuspiciousOperation):
            # It may be a file as it stands.
            pass
    if not path.is_file():
        raise EncoderUnavailable(f"no encoder {name!r}: there is no file {' or '.join(places)}")
    return path


def _open_file(path: Path, threads: int) -> Encoder:
    if path.suffix == MAP_SUFFIX:
        return MappedEncoder(path, lambda base: _load_encoder(base, threads))
    return LiteRTEncoder(path, threads=threads)


@contextmanager
def _text_encoder_folder(name: str) -> Iterator[Path]:
    store = stores.encoders()
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(store.local_folder(name))
        except FileNotFoundError as error:
            raise EncoderUnavailable(
                f"no text encoder {name!r}: there is no file {store.place}/{name}/{TEXT_MODEL}"
            ) from error
        except StoreError as error:
            raise EncoderUnavailable(f"the text encoder {name!r} cannot be fetched: {error}") from error
        yield folder


def _make_vector_index(wanted: Any) -> VectorIndex:
    backend: type[VectorIndex] = import_string(wanted["BACKEND"])
    return backend(**wanted.get("OPTIONS", {}))
