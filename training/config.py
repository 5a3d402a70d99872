"""Every training knob, declared once: its type, bounds, choices, default and help.

The options of `manage.py train`, the parameters of the API, a job's JSON and the training itself are derived from these fields.
Nothing here imports TensorFlow, so the API can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from embeddings.label_names import CATEGORY, PRODUCT

LOSSES = ("normalised-softmax", "softmax", "arcface", "contrastive", "triplet")
# Loss functions that compare embeddings; the others read the scores of a classification layer.
METRIC_LOSSES = ("contrastive", "triplet")
DISTANCES = ("l1", "l2", "cosine")
MINING = ("batch-all", "batch-hard", "semi-hard")
FLOAT16, INT8 = "float16", "int8"

# Between the names of backbones whose features are joined.
JOIN = "+"

_SAME: Any = object()


@dataclass(frozen=True, slots=True)
class Knob:
    """One training knob, as the command line and the API need it.

    Attributes:
        name: of the field of `TrainingConfig`, of the API's parameter and, with dashes, of the command's option.
        kind: type of a value.
        default: value where nothing is asked for; None leaves the choice to the loss function.
        siamese_default: the same for a Siamese network.
        help: what it does, one sentence.
        choices: the values there are; empty for any.
        bounds: lowest and highest number; None for any.
        max_length: of a text, in characters; None for any.
        words: texts that may stand in place of a number.
        api: "" where the API does not offer it, "optional", or "default" where its schema names the default.
    """

    name: str
    kind: type
    default: Any
    siamese_default: Any
    help: str
    choices: tuple[str, ...]
    bounds: tuple[float, float] | None
    max_length: int | None
    words: tuple[str, ...]
    api: Literal["", "optional", "default"]

    def parse(self, text: str) -> Any:
        """The value of a text from the command line.

        Args:
            text: as it was typed.

        Returns:
            A value of `kind`, or one of `words`.

        Raises:
            ValueError: it is no such value, or out of bounds.
        """
        value = text if text in self.words else self.kind(text)
        self.check(value)
        return value

    def check(self, value: Any) -> None:
        """Refuse a value that the knob cannot have.

        Args:
            value: None is as good as the default.

        Raises:
            ValueError: with the values there are.
        """
        if value is None or value in self.words:
            return
        if self.choices and value not in self.choices:
            raise ValueError(f"no {self.name} is named {value!r}; there are {', '.join(self.choices)}")
        if isinstance(value, str) != (self.kind is str):
            raise ValueError(
                f"{self.name} must be a number{''.join(f' or {word}' for word in self.words)}, not {value!r}"
            )
        if self.max_length is not None and len(value) > self.max_length:
            raise ValueError(f"{self.name} must have at most {self.max_length} characters, not {len(value)}")
        if self.bounds is not None and not self.bounds[0] <= value <= self.bounds[1]:
            raise ValueError(f"{self.name} must be from {self.bounds[0]:g} to {self.bounds[1]:g}, not {value:g}")


def _knob(
    default: Any, help: str, *, kind: type | None = None, siamese: Any = _SAME, choices: tuple[str, ...] = (),
    bounds: tuple[float, float] | None = None, max_length: int | None = None, words: tuple[str, ...] = (), api: str = "",
) -> Any:  # fmt: skip
    about = {
        "kind": kind or type(default),
        "siamese_default": default if siamese is _SAME else siamese,
        "help": help,
        "choices": choices,
        "bounds": bounds,
        "max_length": max_length,
        "words": words,
        "api": api,
    }
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides how an encoder is trained, besides the photos. Each field is a knob with its own help.

    Raises:
        ValueError: a value is out of bounds or none of the choices.
    """

    loss: str = _knob("normalised-softmax", "Loss function.", siamese="triplet", choices=LOSSES, api="default")
    distance: str = _knob(
        "l2", "Distance of the loss functions contrastive and triplet.", choices=DISTANCES, api="optional"
    )
    mining: str = _knob(
        "batch-hard", "Which triplets of a batch the loss function triplet learns from.", siamese="semi-hard",
        choices=MINING, api="optional",
    )  # fmt: skip
    margin: float | str | None = _knob(
        None, "Margin of the loss functions arcface (radians), contrastive and triplet (units of the distance).",
        kind=float, bounds=(0.001, 10), words=("soft",), api="optional",
    )  # fmt: skip
    dim: int = _knob(
        256, "Embedding dimension: how many numbers an embedding has.", siamese=64, bounds=(8, 2048), api="optional"
    )
    epochs: int = _knob(80, "Number of training epochs, at most.", siamese=6, bounds=(1, 10_000), api="optional")
    seed: int = _knob(
        0, "Seed of the random numbers: the same seed and photos make the same encoder.", siamese=7,
        bounds=(0, 2**31 - 1), api="optional",
    )  # fmt: skip
    backbone: str = _knob(
        "bundled",
        "Network that the training starts from: bundled, bundled-fast, a name from BACKBONES, efficientnet-lite0, -lite1 or "
        "-lite2, mobilenet-v2, keras:NAME, a .keras file, a SavedModel's folder or archive, or a URL; several with + between them "
        "are joined. A Siamese network is trained from scratch without one.",
        siamese="", api="default",
    )  # fmt: skip
    weights: str = _knob("", "Weights file of a backbone keras:NAME or efficientnet-liteN.")
    input_size: int = _knob(0, "Side of the input photos in pixels, for backbones that leave it open.")
    patience: int = _knob(
        20, "Early stopping: number of epochs without a better validation score after which training stops.", siamese=3,
        bounds=(1, 10_000),
    )  # fmt: skip
    hidden: int = _knob(1024, "Width of the hidden layer before the embedding layer; 0 for none.", bounds=(0, 65_536))
    dropout: float = _knob(0.2, "Dropout rate of the head.", bounds=(0, 0.95))
    mixup: float = _knob(
        0.4, "Alpha of mixup of features, for loss functions that classify; 0 for no mixup.", bounds=(0, 10)
    )
    temperature: float = _knob(0.2, "Temperature of the softmax over cosines.", bounds=(0.001, 10))
    balance: float = _knob(
        0.5, "Balanced sampler: 0 draws each photo equally often, 1 each class equally often.", bounds=(0, 1)
    )
    batch_size: int = _knob(256, "Batch size.", siamese=120, bounds=(2, 65_536))
    photos_per_class: int = _knob(
        8, "PK sampler: photos of each class in a batch, for the loss functions contrastive and triplet.", siamese=12,
        bounds=(2, 1024),
    )  # fmt: skip
    steps_per_epoch: int = _knob(0, "Batches of an epoch; 0 for about one pass over the photos.", bounds=(0, 1_000_000))
    learning_rate: float = _knob(
        1e-3, "Highest learning rate; it falls along a cosine over all epochs.", bounds=(1e-8, 10)
    )
    weight_decay: float = _knob(1e-4, "Weight decay of the optimizer AdamW.", siamese=0.0, bounds=(0, 1))
    ema_momentum: float = _knob(
        0.99, "Momentum of the moving average of the weights; the averaged weights are kept.", bounds=(0, 0.99999)
    )
    views: int = _knob(5, "Augmented views of each photo that features are computed of.", bounds=(1, 1000))
    soup: int = _knob(
        3, "Model soup: number of heads that are trained from the same weights with other batches; of those that help, the weights "
        "are averaged.", bounds=(1, 20),
    )  # fmt: skip
    unfreeze: int = _knob(0, "Number of the backbone's last layers to train too, after the head.", bounds=(0, 10_000))
    unfreeze_epochs: int = _knob(3, "Number of training epochs of the unfrozen layers.", bounds=(1, 10_000))
    fraction: float = _knob(0.15, "Share of the photos to validate with.")
    precision: str = _knob(
        FLOAT16, "Numbers of the model that serves: float16 weights, or int8, which takes half the time where the processor has "
        "instructions for it.", choices=(FLOAT16, INT8), api="optional",
    )  # fmt: skip
    also: str = _knob(
        "", "Further labels that the embedding learns beside the class, comma-separated: category, brand, product, or names of "
        "attributes such as colour. Photos without one learn the others.", max_length=200, api="optional",
    )  # fmt: skip
    also_weight: float = _knob(
        0.5, "Weight of the losses of all further labels together, beside 1 of the class.", bounds=(0.001, 100)
    )
    by_product: bool = _knob(False, "Train with each product as a class of its own.")
    siamese: bool = _knob(False, "Train a Siamese network from scratch on --data (digits or folders of photos).")

    def __post_init__(self) -> None:
        for knob in knobs():
            knob.check(getattr(self, knob.name))
        if refusal := self._refusal_of_further():
            raise ValueError(f"also {refusal}")

    @property
    def further(self) -> tuple[str, ...]:
        """The names in `also`, in lower case, each once."""
        return tuple(dict.fromkeys(name for part in self.also.split(",") if (name := part.strip().casefold())))

    @property
    def own_label(self) -> str:
        """What the class is."""
        return PRODUCT if self.by_product else CATEGORY

    def _refusal_of_further(self) -> str:
        if self.own_label in self.further:
            return f"must not name {self.own_label}: it is the class, which is learned already"
        if self.siamese and self.further:
            return "is for fine-tuning: a Siamese network learns one label"
        return ""

    @property
    def metric_loss(self) -> bool:
        """Whether the loss function compares embeddings with each other."""
        return self.loss in METRIC_LOSSES

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> TrainingConfig:
        """The config of a command's options or a job's JSON.

        Args:
            options: values by names of knobs; None is the default, what is no knob is for somebody else.

        Returns:
            The config, with a Siamese network's own defaults where one is asked for.

        Raises:
            ValueError: a value is out of bounds or none of the choices.
        """
        siamese = bool(options.get("siamese"))
        given = {knob.name: options.get(knob.name) for knob in knobs()}
        defaults = {knob.name: knob.siamese_default if siamese else knob.default for knob in knobs()}
        return cls(**{name: defaults[name] if value is None else value for name, value in given.items()})


def knobs() -> tuple[Knob, ...]:
    """Every training knob, in the order of the fields of `TrainingConfig`."""
    return tuple(Knob(each.name, default=each.default, **each.metadata) for each in fields(TrainingConfig))


def api_knobs() -> tuple[Knob, ...]:
    """The knobs that are parameters of the API."""
    return tuple(knob for knob in knobs() if knob.api)


def job_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a job keeps of a request: plain JSON, to be read by `TrainingConfig.from_options`.

    Args:
        given: values by names of `api_knobs`, and what else the job is to remember; None leaves the choice to the training.

    Returns:
        What was given, with the defaults that the API's schema names.
    """
    defaults = {knob.name: knob.default for knob in api_knobs() if knob.api == "default"}
    return {**defaults, **{name: value for name, value in given.items() if value is not None}}
