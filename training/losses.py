"""The loss functions of a training: classification losses over class weights, and metric losses over distances.

All are Keras losses of (labels, output of the network): softmax reads logits, normalised softmax and ArcFace the cosines of a
CosineClassifier, float32 [B, classes]; contrastive and triplet read the embeddings themselves, float32 [B, dim]. Labels are
integers below 2**24 (Keras passes them on as float32).

A metric loss can say nothing of a batch without a pair or triplet to learn from (each label once, or one label alone): it is 0
there, with a gradient of 0. Sample batches by class, and this does not come up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import keras
from keras import ops

from training.config import DISTANCES, LOSSES, MINING
from training.mining import STRATEGIES, pairs

Margin = float | Literal["soft"]

# Zhai & Wu, 2019, section 3.2: low, so that the loss can fall although cosines end at 1.
TEMPERATURE = 0.05

_PACKAGE = "lookalike"
# Below this share of the squared lengths a squared distance is nothing but rounding.
_ROUNDING = 1e-6
_TINY = 1e-12


def make_loss(
    name: str,
    *,
    margin: Margin | None = None,
    distance: str = "l2",
    mining: str = "batch-hard",
    temperature: float = TEMPERATURE,
) -> keras.losses.Loss:
    """The loss function of this name.

    Args:
        name: one of `LOSSES`.
        margin: in radians for arcface (default 0.5), else in units of the distance (contrastive 1.0, triplet 0.2); "soft" is for
            triplet alone.
        distance: for contrastive and triplet.
        mining: for triplet.
        temperature: for normalised-softmax; arcface's scale is its inverse.

    Returns:
        A Keras loss. What does not concern it is left unread.

    Raises:
        ValueError: an unknown name or value.
    """
    _check_choice("loss", name, LOSSES)
    if margin == "soft" and name != "triplet":
        raise ValueError(f"a soft margin is for the triplet loss; {name} takes a number")
    given: dict[str, Any] = {} if margin is None else {"margin": margin}
    if name == "softmax":
        return Softmax()
    if name == "normalised-softmax":
        return NormalisedSoftmax(temperature)
    if name == "arcface":
        _check_positive("temperature", temperature)
        return ArcFace(scale=1 / temperature, **given)
    if name == "contrastive":
        return Contrastive(distance=distance, **given)
    return Triplet(distance=distance, mining=mining, **given)


@keras.saving.register_keras_serializable(_PACKAGE)
class CosineClassifier(keras.layers.Layer):
    """Cosine of each embedding with one weight vector a class (Wang et al., "NormFace", ACM MM 2017).

    Input float32 [B, dim], of any length; output float32 [B, classes] in [-1, 1]. There is no bias.
    """

    def __init__(self, classes: int, **layer: Any) -> None:
        super().__init__(**layer)
        if classes < 2:
            raise ValueError(f"a classifier needs at least 2 classes, not {classes}")
        self.classes = classes

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], self.classes), initializer="glorot_uniform"
        )

    def call(self, embeddings: Any) -> Any:
        return ops.matmul(_unit(embeddings), _unit(ops.convert_to_tensor(self.kernel), axis=0))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.classes)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.classes}


@keras.saving.register_keras_serializable(_PACKAGE)
class Softmax(keras.losses.Loss):
    """Softmax cross-entropy (Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990).

    labels: int [B] in [0, classes). logits: float32 [B, classes]. One value a photo, in nats.
    """

    def __init__(self, name: str = "softmax", **loss: Any) -> None:
        super().__init__(name, **loss)

    def call(self, labels: Any, logits: Any) -> Any:
        return _cross_entropy(labels, logits)


@keras.saving.register_keras_serializable(_PACKAGE)
class NormalisedSoftmax(keras.losses.Loss):
    """Cross-entropy of cosines (Zhai & Wu, "Classification is a Strong Baseline for Deep Metric Learning", BMVC 2019).

    labels: int [B] in [0, classes). cosines: float32 [B, classes] in [-1, 1], of a CosineClassifier. temperature: above 0,
    divides the cosines; the lower, the more the nearest wrong class counts. One value a photo.
    """

    def __init__(self, temperature: float = TEMPERATURE, name: str = "normalised_softmax", **loss: Any) -> None:
        super().__init__(name, **loss)
        self.temperature = _check_positive("temperature", temperature)

    def call(self, labels: Any, cosines: Any) -> Any:
        return _cross_entropy(labels, cosines / self.temperature)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}


@keras.saving.register_keras_serializable(_PACKAGE)
class ArcFace(keras.losses.Loss):
    """Cross-entropy with a margin on the angle to the own class (Deng et al., "ArcFace", CVPR 2019, eq. 3).

    labels: int [B] in [0, classes). cosines: float32 [B, classes] in [-1, 1], of a CosineClassifier. scale: above 0.
    margin: radians in [0, pi / 2). cos(theta + margin) is written out without arccos, whose gradient is infinite at 1 and -1.
    Past theta + margin = pi it would rise again; there it continues as cos(theta) - margin sin(margin), which falls (the authors'
    own code). One value a photo.
    """

    def __init__(self, scale: float = 1 / TEMPERATURE, margin: float = 0.5, name: str = "arcface", **loss: Any) -> None:
        super().__init__(name, **loss)
        self.scale = _check_positive("scale", scale)
        if not 0 <= margin < math.pi / 2:
            raise ValueError(f"margin must be an angle in [0, pi / 2) radians, not {margin}")
        self.margin = float(margin)

    def call(self, labels: Any, cosines: Any) -> Any:
        # The square root's gradient is infinite at 0; where the maximum takes the constant it is 0.
        sines = ops.sqrt(ops.maximum(1 - ops.square(cosines), _TINY))
        turned = cosines * math.cos(self.margin) - sines * math.sin(self.margin)
        fallback = cosines - self.margin * math.sin(self.margin)
        own = ops.where(cosines >= -math.cos(self.margin), turned, fallback)
        is_own = _flat(labels)[:, None] == ops.arange(ops.shape(cosines)[1], dtype="int32")
        return _cross_entropy(labels, self.scale * ops.where(is_own, own, cosines))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "margin": self.margin}


@keras.saving.register_keras_serializable(_PACKAGE)
class Mixup(keras.losses.Loss):
    """A classification loss of photos that are mixtures of two (Zhang et al., "mixup", ICLR 2018).

    targets: float32 [B, 3]: label, label of the partner, and the own share in [0, 1]. scores: float32 [B, classes], as the loss
    function `of` reads them. One value a photo.
    """

    def __init__(self, of: keras.losses.Loss, name: str = "mixup", **loss: Any) -> None:
        super().__init__(name, **loss)
        self.of = of

    def call(self, targets: Any, scores: Any) -> Any:
        share = targets[:, 2]
        return share * self.of.call(targets[:, 0], scores) + (1 - share) * self.of.call(targets[:, 1], scores)


@keras.saving.register_keras_serializable(_PACKAGE)
class WhereKnown(keras.losses.Loss):
    """A classification loss of photos of which some have no label: it is 0 for these, with a gradient of 0.

    labels: int [B] in [0, classes), or below 0 where there is none. scores: float32 [B, classes], as the loss function `of` reads
    them. One value a photo, so that the mean is over all photos: a photo counts the same however many others have a label.
    """

    def __init__(self, of: keras.losses.Loss, name: str = "where_known", **loss: Any) -> None:
        super().__init__(name, **loss)
        self.of = of

    def call(self, labels: Any, scores: Any) -> Any:
        labels = _flat(labels)
        return ops.where(labels < 0, 0.0, self.of.call(ops.maximum(labels, 0), scores))


@keras.saving.register_keras_serializable(_PACKAGE)
class Contrastive(keras.losses.Loss):
    """The contrastive loss over all pairs of a batch (Hadsell et al., CVPR 2006, eq. 4), both kinds of pair with equal weight.

    labels: int [B]. embeddings: float32 [B, dim]. margin: above 0, in units of the distance; unrelated unit vectors are some 1.4
    apart by l2, 1 by cosine and 1.1 * sqrt(dim) by l1. A batch has far more pairs of two classes than of one, so each kind is
    averaged by itself and the scalar is the mean of the two; a kind that does not occur counts 0.
    """

    def __init__(self, margin: float = 1.0, distance: str = "l2", name: str = "contrastive", **loss: Any) -> None:
        super().__init__(name, **loss)
        self.margin = _check_positive("margin", margin)
        self.distance = _check_choice("distance", distance, DISTANCES)

    def call(self, labels: Any, embeddings: Any) -> Any:
        same, different = pairs(_flat(labels))
        losses = _contrastive(same, pairwise_distances(embeddings, self.distance), self.margin)
        return (_mean_where(same, losses) + _mean_where(different, losses)) / 2

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "margin": self.margin, "distance": self.distance}


@keras.saving.register_keras_serializable(_PACKAGE)
class Triplet(keras.losses.Loss):
    """Triplet loss (Schroff et al., "FaceNet", CVPR 2015; Hermans et al., "In Defense of the Triplet Loss", 2017).

    labels: int [B]. embeddings: float32 [B, dim]. margin: above 0, in units of the distance, for a hinge; "soft" for
    log(1 + exp(gap)), which still has a gradient where the hinge is 0. mining: batch-all, batch-hard or semi-hard, as in
    `mining`; the scalar is the mean over its triplets, with batch-all over those that are not yet content (loss above 0).
    """

    def __init__(
        self,
        margin: Margin = 0.2,
        distance: str = "l2",
        mining: str = "batch-hard",
        name: str = "triplet",
        **loss: Any,
    ) -> None:
        super().__init__(name, **loss)
        self.margin: Margin = "soft" if margin == "soft" else _check_positive("margin", margin)
        self.distance = _check_choice("distance", distance, DISTANCES)
        self.mining = _check_choice("mining", mining, MINING)

    def call(self, labels: Any, embeddings: Any) -> Any:
        triplets = STRATEGIES[self.mining](_flat(labels), pairwise_distances(embeddings, self.distance))
        gaps = triplets.gaps
        losses = ops.softplus(gaps) if self.margin == "soft" else ops.relu(gaps + self.margin)
        # A comparison with NaN is false: written so, NaN counts, and shows in the loss.
        content = losses <= 0 if self.mining == "batch-all" else False
        return _mean_where(triplets.valid & ops.logical_not(content), losses)

    def get_config(self) -> dict[str, Any]:
        config = {"margin": self.margin, "distance": self.distance, "mining": self.mining}
        return {**super().get_config(), **config}


def pairwise_distances(embeddings: Any, distance: str) -> Any:
    """Distance of each embedding to each.

    The gradient is finite everywhere, also between equal embeddings. l1 holds B x B x dim values; the others are one matrix
    product. NaN stays NaN.

    Args:
        embeddings: float32 [B, dim].
        distance: l1, l2, or cosine (1 - cosine, in [0, 2]).

    Returns:
        float32 [B, B], not negative.

    Raises:
        ValueError: another distance, or embeddings of another shape.
    """
    return _PAIRWISE[_check_choice("distance", distance, DISTANCES)](_check_embeddings(embeddings))


def paired_distances(left: Any, right: Any, distance: str) -> Any:
    """Distance of each row to the same row of the other.

    Args:
        left: float32 [B, dim].
        right: float32 [B, dim].
        distance: as in `pairwise_distances`.

    Returns:
        float32 [B], not negative.

    Raises:
        ValueError: another distance.
    """
    _check_choice("distance", distance, DISTANCES)
    if distance == "cosine":
        return ops.maximum(1 - ops.sum(_unit(left) * _unit(right), axis=-1), 0.0)
    if distance == "l1":
        return ops.sum(ops.abs(left - right), axis=-1)
    return _safe_sqrt(ops.sum(ops.square(left - right), axis=-1))


def _l1(embeddings: Any) -> Any:
    return ops.sum(ops.abs(embeddings[:, None, :] - embeddings[None, :, :]), axis=-1)


def _l2(embeddings: Any) -> Any:
    # Around their mean the vectors are as short as they can be, so a batch that has almost collapsed does not drown in rounding.
    centred = embeddings - ops.stop_gradient(ops.mean(embeddings, axis=0, keepdims=True))
    lengths = ops.sum(ops.square(centred), axis=1)
    sums = lengths[:, None] + lengths[None, :]
    squared = sums - 2 * ops.matmul(centred, ops.transpose(centred))
    return _safe_sqrt(ops.where(squared <= _ROUNDING * sums, 0.0, squared))


def _cosine(embeddings: Any) -> Any:
    unit = _unit(embeddings)
    return ops.maximum(1 - ops.matmul(unit, ops.transpose(unit)), 0.0)


_PAIRWISE: dict[str, Callable[[Any], Any]] = {"l1": _l1, "l2": _l2, "cosine": _cosine}


def _safe_sqrt(squared: Any) -> Any:
    """The square root, with a gradient of 0 at 0: both branches of a `where` are differentiated, so neither may see a 0."""
    zero = squared <= 0
    return ops.where(zero, 0.0, ops.sqrt(ops.where(zero, 1.0, squared)))


def _unit(vectors: Any, axis: int = -1) -> Any:
    return vectors * ops.rsqrt(ops.maximum(ops.sum(ops.square(vectors), axis=axis, keepdims=True), _TINY))


def _contrastive(same: Any, distances: Any, margin: float) -> Any:
    return ops.where(same, ops.square(distances), ops.square(ops.relu(margin - distances))) / 2


def _cross_entropy(labels: Any, logits: Any) -> Any:
    return ops.sparse_categorical_crossentropy(_flat(labels), logits, from_logits=True)


def _mean_where(mask: Any, values: Any) -> Any:
    """Mean of the values that the mask names; 0 where it names none."""
    count = ops.sum(ops.cast(mask, values.dtype))
    return ops.sum(ops.where(mask, values, 0.0)) / ops.maximum(count, 1.0)


def _flat(labels: Any) -> Any:
    """int32 [B], also of labels [B, 1]."""
    return ops.cast(ops.reshape(labels, (-1,)), "int32")


def _check_embeddings(embeddings: Any) -> Any:
    embeddings = ops.convert_to_tensor(embeddings, dtype="float32")
    if len(embeddings.shape) != 2:
        raise ValueError(f"embeddings must be [batch, dim], not {tuple(embeddings.shape)}")
    return embeddings


def _check_positive(what: str, value: float | str) -> float:
    if isinstance(value, str) or not (math.isfinite(value) and value > 0):
        raise ValueError(f"{what} must be a number above 0, not {value!r}")
    return float(value)


def _check_choice(what: str, value: str, allowed: Any) -> str:
    if value not in allowed:
        raise ValueError(f"no {what} is named {value!r}; there are {', '.join(allowed)}")
    return value
