"""A bundled encoder that is given a first look at each photo: it separates the product from its background."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

keras = pytest.importorskip("keras", reason="TensorFlow is not installed: make setup")

from embeddings.backends import bundled_weights  # noqa: E402
from embeddings.encoders.litert import LiteRTEncoder  # noqa: E402
from embeddings.encoders.preprocessing import to_input  # noqa: E402
from storefront.demo.catalogue import demo_products, draw_view  # noqa: E402
from training.augmentation import product_mask  # noqa: E402
from training.distil_blanked import BlankedRecipe, distil_blanked  # noqa: E402
from training.distil_joined import Photos  # noqa: E402
from training.export import to_litert  # noqa: E402
from training.foreground_mask import MaskRecipe, train_mask  # noqa: E402
from training.litert_files import read_litert  # noqa: E402
from training.photo_folders import photos_in  # noqa: E402
from training.student import MASK, with_mean_features  # noqa: E402

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.timeout(900),
    # TensorFlow's arrays are older than NumPy's keyword `copy`.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]

RECIPE = MaskRecipe(pictures=240, demo_products=0, mask_epochs=6, epochs=12, batch=20)


TAUGHT = BlankedRecipe(composed=120, crops=0, demo_products=0, epochs=2, batch=20, others=100, class_weight=0)


def scene(seed: int) -> Image.Image:
    """Coloured blocks, as a background that is not plain."""
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((240, 240), Image.Resampling.BICUBIC)


def on(background: Image.Image, drawing: Image.Image) -> Image.Image:
    """A drawn product on another background, half as wide as that."""
    mask = product_mask(drawing)
    assert mask is not None
    picture, side = background.copy(), background.width // 2
    picture.paste(drawing.resize((side, side)), (side // 2, side // 2), Image.fromarray(mask).resize((side, side)))
    return picture


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    """40 drawn products, and 40 scenes to set them on."""
    products, scenes = (tmp_path_factory.mktemp(name) for name in ("products", "scenes"))
    for number, product in enumerate(demo_products(count=40)):
        scene(number).save(scenes / f"{number}.png")
        draw_view(product, 0, 240).save(products / f"{number}.png")
    return products, scenes


@pytest.fixture(scope="module")
def looking(tmp_path_factory, folders) -> Path:
    """Weights of `bundled` with a mask that was learned for a moment."""
    products, scenes = (photos_in([folder]) for folder in folders)
    network = read_litert(bundled_weights("bundled"), blanks_background=True)
    train_mask(network, products, [], scenes, RECIPE)
    path = tmp_path_factory.mktemp("mask") / "weights.tflite"
    path.write_bytes(to_litert(network, half_precision_weights=True))
    return path


@pytest.fixture(scope="module")
def taught(tmp_path_factory, looking, folders) -> Path:
    """The same, after its later convolutions have learned from what it makes white."""
    products, scenes = (photos_in([folder]) for folder in folders)
    network = read_litert(looking)
    distil_blanked(network, Photos([folders[0]], [], 0), products, scenes, TAUGHT)
    path = tmp_path_factory.mktemp("taught") / "weights.tflite"
    path.write_bytes(to_litert(network, half_precision_weights=True))
    return path


PRODUCTS = demo_products(count=300)[200:212]


def vectors(path: Path, background: Image.Image) -> NDArray[np.float32]:
    """Of 12 products that the mask was not trained on, on one background."""
    return LiteRTEncoder(path).encode([on(background, draw_view(product, 0, 240)) for product in PRODUCTS])


def nearer(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """How much nearer a product is to itself on the other background than to another product on the same."""
    beside = (one @ one.T)[~np.eye(len(one), dtype=bool)]
    return float(np.diag(one @ other.T).mean() - beside.mean())


@pytest.mark.parametrize(
    ("other", "gain"), [(Image.new("RGB", (240, 240), "white"), 0.15), (scene(1002), 0.05)], ids=["white", "coloured"]
)
def test_the_background_counts_for_less_and_the_product_for_more(looking, other, gain):
    """The backgrounds are not those that the mask was trained on, either."""
    before, after = (
        nearer(vectors(path, scene(1001)), vectors(path, other)) for path in (bundled_weights("bundled"), looking)
    )
    assert after > before + gain


def test_products_come_to_where_the_encoder_before_has_them_on_their_own_background(looking, taught):
    own = LiteRTEncoder(bundled_weights("bundled")).encode([draw_view(product, 0, 240) for product in PRODUCTS])
    before, after = (float((vectors(path, scene(1005)) * own).sum(axis=1).mean()) for path in (looking, taught))
    assert after > before + 0.05


def test_the_first_look_stays_as_it_is(looking, taught):
    before, after = (read_litert(path) for path in (looking, taught))
    for name in ("look_0", "look_32", "mask_0", MASK, "conv_0"):
        for one, other in zip(before.get_layer(name).get_weights(), after.get_layer(name).get_weights(), strict=True):
            assert np.array_equal(one, other)


def test_its_weights_are_read_back_as_they_are(looking):
    encoder, photo = LiteRTEncoder(looking), on(scene(1003), draw_view(demo_products(count=300)[240], 0, 240))
    for network in (read_litert(looking), read_litert(looking, any_size=True)):
        assert network(to_input(photo, 224)).numpy() == pytest.approx(encoder.encode([photo]), abs=1e-4)


def test_fine_tuning_starts_from_the_whole_photo_as_before(looking):
    photo = to_input(on(scene(1004), draw_view(demo_products(count=300)[241], 0, 240)), 224)
    before, after = (
        with_mean_features(read_litert(path))(photo).numpy() for path in (bundled_weights("bundled"), looking)
    )
    assert after == pytest.approx(before, abs=1e-4)


def test_a_network_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="has the shape of MobileNetV2"):
        read_litert(bundled_weights("bundled-fast"), blanks_background=True)
