"""Further labels: what an embedding learns beside its class, such as the colour, by a classifier of their own each.

The classifiers are trained with the head and thrown away with its classification layer (multi-task learning: Caruana, "Multitask
Learning", Machine Learning, 1997).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embeddings.dataset import LabelledPhoto
from embeddings.errors import UnusablePhotos
from training.config import TrainingConfig

# Among the figures of a training: what was learned beside the class, by name.
FURTHER_LABELS = "further_labels"

# Of a photo whose value is not known: it counts nothing in the loss of that label.
UNKNOWN = -1


@dataclass(frozen=True)
class FurtherLabel:
    """What each photo to train on has for one name.

    Attributes:
        name: category, brand, product, or the name of an attribute.
        values: the values there are, in the order of their numbers.
        numbers: int64 [n] in [0, values), the value of each photo; UNKNOWN where it is not known.
    """

    name: str
    values: Sequence[str]
    numbers: NDArray[np.int64]

    @property
    def known(self) -> int:
        """How many photos have a value."""
        return int((self.numbers != UNKNOWN).sum())


def further_labels(config: TrainingConfig, photos: Sequence[LabelledPhoto]) -> list[FurtherLabel]:
    """The labels that a config names.

    Args:
        config: its `also` and `by_product` are read.
        photos: to train on, labelled by their class.

    Returns:
        One each, in the order of the names.

    Raises:
        UnusablePhotos: no photo has the label, or all have the same value.
    """
    return [_usable(further_label(name, photos), photos) for name in config.further]


def further_label(name: str, photos: Sequence[LabelledPhoto]) -> FurtherLabel:
    """Read one label of photos. Values that differ in case or spaces are one.

    Args:
        name: category, brand, product, or the name of an attribute.
        photos: to train on, labelled by their class.

    Returns:
        The label; it has no value where no photo has one.
    """
    texts = [photo.value(name) for photo in photos]
    values = sorted({text for text in texts if text})
    number_of = {text: number for number, text in enumerate(values)}
    return FurtherLabel(name, values, np.array([number_of.get(text, UNKNOWN) for text in texts], dtype=np.int64))


def _usable(label: FurtherLabel, photos: Sequence[LabelledPhoto]) -> FurtherLabel:
    if len(label.values) > 1:
        return label
    names = sorted({name for photo in photos for name in photo.known})
    others = f"they have {', '.join(names)}" if names else "they have a class alone"
    if not label.values:
        raise UnusablePhotos(f"no photo to train on has {label.name!r}, which is to be learned, too: {others}")
    raise UnusablePhotos(
        f"all photos to train on that have {label.name!r} have the same, {label.values[0]!r}: there is nothing to learn from"
        " it. Leave it out"
    )
