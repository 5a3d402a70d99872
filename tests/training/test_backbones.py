"""Backbones: the same network however it comes, and a plain word on what cannot be one."""

from __future__ import annotations

import gc
import socket
import urllib.parse
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="TensorFlow is not installed: make setup")

from embeddings.backends import bundled_weights  # noqa: E402
from embeddings.encoders.litert import LiteRTEncoder  # noqa: E402
from embeddings.encoders.preprocessing import to_input  # noqa: E402
from tests import loopback  # noqa: E402
from tests.training.networks import archived, hub_model, keras_network  # noqa: E402
from training.backbones import Backbone, load_backbone  # noqa: E402
from training.errors import BackboneUnavailable  # noqa: E402
from training.litert_files import read_litert  # noqa: E402

pytestmark = [
    pytest.mark.tensorflow,
    # TensorFlow's arrays are older than NumPy's keyword `copy`.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    # tensorflow_hub leaves its connections to the garbage collector, which may come by at any time.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


class Shelf:
    """Files that a server on this machine hands out, by their paths."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []


@pytest.fixture
def shelf(tmp_path, monkeypatch) -> Iterator[Shelf]:
    """The server; tensorflow_hub keeps what it fetches in the test's own folder."""
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "hub"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Handler(loopback.Handler):
        def do_GET(self) -> None:
            path = urllib.parse.urlsplit(self.path).path
            shelf.asked.append(path)
            content = shelf.files.get(path)
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

    with loopback.serving(Handler) as port:
        shelf = Shelf(port)
        yield shelf
    # tensorflow_hub leaves its connections to the garbage collector.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A SavedModel as TF Hub has them, for photos of 32 pixels."""
    return hub_model(tmp_path_factory.mktemp("hub") / "model")


@pytest.fixture
def archive(saved, tmp_path) -> Path:
    """The same as TF Hub serves it."""
    path = tmp_path / "model.tar.gz"
    path.write_bytes(archived(saved))
    return path


def photos(size: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(5).uniform(size=(count, size, size, 3)).astype(np.float32)


def features(backbone: Backbone) -> np.ndarray:
    found: np.ndarray = np.asarray(backbone.forward(photos(backbone.input_size)))
    return found


def refused(handle: object, cache: Path, **options) -> str:
    with pytest.raises(BackboneUnavailable) as caught:
        load_backbone(str(handle), cache=cache, **options)
    return str(caught.value)


def test_a_bundled_backbone_gives_what_the_bundled_encoder_projects_by_its_roots(tmp_path):
    backbone = load_backbone("bundled-fast", cache=tmp_path)
    assert (backbone.input_size, backbone.features) == (160, 640)
    network = read_litert(bundled_weights("bundled-fast"))
    kernel, bias = (weight.numpy() for weight in network.get_layer("projection").weights)
    mean = features(backbone)
    embedding = np.sqrt(mean / mean.sum(axis=1, keepdims=True)) @ kernel + bias
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    interpreter = LiteRTEncoder(bundled_weights("bundled-fast")).new_interpreter()
    for photo, wanted in zip(photos(backbone.input_size), embedding, strict=True):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], photo[None])
        interpreter.invoke()
        assert interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0] == pytest.approx(
            wanted, abs=1e-4
        )


def test_a_backbone_with_foreground_features_gives_the_plain_mean_to_fine_tuning(tmp_path):
    backbone = load_backbone("bundled", cache=tmp_path)
    assert (backbone.input_size, backbone.features) == (224, 1280)
    network = read_litert(bundled_weights("bundled"))
    last = keras.Model(network.input, network.get_layer("conv_48").output)(photos(224)).numpy()
    assert features(backbone) == pytest.approx(np.clip(last, 0, 6).mean(axis=(1, 2)), abs=1e-4)


def test_the_last_layers_come_in_the_order_of_the_network(tmp_path):
    last = [tuple(variable.shape) for variable in load_backbone("bundled-fast", cache=tmp_path).last_layers(3)]
    depthwise, _, projection, _, features_kernel, features_bias = last
    assert depthwise[:2] == (3, 3)
    assert projection[:3] == (1, 1, depthwise[2])
    assert features_kernel == (1, 1, projection[3], 640)
    assert features_bias == (640,)


def test_more_layers_than_there_are_cannot_be_unfrozen(saved, tmp_path):
    backbone = load_backbone(str(saved), cache=tmp_path)
    assert backbone.last_layers(0) == []
    with pytest.raises(BackboneUnavailable, match="has 2 layers with weights, so that 3 cannot"):
        backbone.last_layers(3)


def test_a_network_is_the_same_from_a_folder_an_archive_and_a_server(saved, archive, shelf, tmp_path):
    shelf.files["/model.tar.gz"] = archive.read_bytes()
    ways = [load_backbone(str(saved), cache=tmp_path), load_backbone(str(archive), cache=tmp_path)]
    ways.append(load_backbone(f"{shelf.address}/model.tar.gz", cache=tmp_path))
    assert {(way.input_size, way.features) for way in ways} == {(32, 12)}
    assert len({way.fingerprint for way in ways}) == 1
    assert all(np.allclose(features(way), features(ways[0]), atol=1e-6) for way in ways[1:])
    assert [[tuple(each.shape) for each in way.last_layers(1)] for way in ways] == [[(3, 3, 8, 12)]] * 3
    other = load_backbone(str(hub_model(tmp_path / "other", seed=1)), cache=tmp_path)
    assert other.fingerprint != ways[0].fingerprint


def test_what_was_fetched_once_is_not_fetched_again(archive, shelf, tmp_path):
    shelf.files["/model.tar.gz"] = archive.read_bytes()
    for _ in range(2):
        load_backbone(f"{shelf.address}/model.tar.gz", cache=tmp_path)
    assert shelf.asked == ["/model.tar.gz"]


def test_an_archive_is_unpacked_once(archive, tmp_path):
    for _ in range(2):
        load_backbone(str(archive), cache=tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_network_that_leaves_the_size_open_takes_the_size_that_is_asked_for(tmp_path):
    folder = hub_model(tmp_path / "open", None)
    keras_network(None).save(tmp_path / "open.keras")
    for handle in (folder, tmp_path / "open.keras"):
        assert load_backbone(str(handle), input_size=48, cache=tmp_path).input_size == 48
        assert load_backbone(str(handle), cache=tmp_path).input_size == 224


def test_a_keras_file_is_a_backbone(tmp_path):
    network = keras_network()
    network.save(tmp_path / "mine.keras")
    backbone = load_backbone(str(tmp_path / "mine.keras"), cache=tmp_path)
    assert (backbone.input_size, backbone.features) == (32, 12)
    assert np.allclose(features(backbone), network(photos(32), training=False), atol=1e-5)


def test_running_statistics_are_not_among_what_is_trained(tmp_path):
    keras_network().save(tmp_path / "mine.keras")
    backbone = load_backbone(str(tmp_path / "mine.keras"), cache=tmp_path)
    shapes = [tuple(variable.shape) for variable in backbone.last_layers(2)]
    assert shapes == [(8,), (8,), (3, 3, 8, 12), (12,)]


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Random weights of MobileNetV3Small without its top."""
    path = tmp_path_factory.mktemp("weights") / "v3.weights.h5"
    keras.utils.set_random_seed(3)
    keras.applications.MobileNetV3Small(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    ).save_weights(path)
    return path


def test_a_network_of_keras_applications_takes_a_weights_file(weights, tmp_path):
    small = load_backbone("keras:MobileNetV3Small", weights=weights, input_size=32, cache=tmp_path)
    assert (small.input_size, small.features) == (32, 576)
    network = keras.applications.MobileNetV3Small(
        include_top=False, weights=str(weights), input_shape=(32, 32, 3), pooling="avg"
    )
    # It was trained on pixels from 0 to 255, and scales them itself.
    assert np.allclose(features(small), network(255 * photos(32), training=False), atol=1e-4)


def test_a_network_of_keras_applications_that_is_not_there_is_said_to_be_so(tmp_path):
    message = refused("keras:MobileNetV9", tmp_path)
    assert "keras.applications has no 'MobileNetV9'; it has" in message
    assert "MobileNetV3Small" in message
    assert "keras.applications has no 'mobilenet_v3'" in refused("keras:mobilenet_v3", tmp_path)


def test_weights_that_do_not_fit_are_said_not_to(weights, tmp_path):
    message = refused("keras:MobileNetV3Small", tmp_path, weights=tmp_path / "none.weights.h5")
    assert f"there is no weights file {tmp_path}" in message
    keras_network().save_weights(tmp_path / "other.weights.h5")
    message = refused("keras:MobileNetV3Small", tmp_path, weights=tmp_path / "other.weights.h5", input_size=32)
    assert "other.weights.h5 a weights file of MobileNetV3Small without its top?" in message
    (tmp_path / "torn.weights.h5").write_bytes(weights.read_bytes()[:20_000])
    assert "cannot be had" in refused(
        "keras:MobileNetV3Small", tmp_path, weights=tmp_path / "torn.weights.h5", input_size=32
    )


def test_a_weights_file_goes_with_keras_applications_alone(weights, saved, tmp_path):
    for handle in ("bundled", saved):
        assert "a weights file goes with keras:NAME or efficientnet-lite0" in refused(handle, tmp_path, weights=weights)


def test_a_path_that_leads_nowhere_is_said_to(tmp_path):
    assert (
        "give bundled, bundled-fast, efficientnet-lite0, efficientnet-lite1, efficientnet-lite2, mobilenet-v2"
        in refused(tmp_path / "nowhere", tmp_path)
    )
    assert "there is no file" in refused(tmp_path / "nowhere.tar.gz", tmp_path)
    assert "there is no file" in refused(tmp_path / "nowhere.keras", tmp_path)


def test_a_server_that_is_away_is_said_to_be(shelf, tmp_path):
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    message = refused(f"http://127.0.0.1:{port}/model.tar.gz", tmp_path)
    assert "cannot be loaded" in message
    assert "refused" in message
    assert "check the address" in message


def test_an_address_without_a_model_is_said_to_have_none(shelf, tmp_path):
    assert "404" in refused(f"{shelf.address}/nothing.tar.gz", tmp_path)


def without_model(archive: Path) -> bytes:
    (archive.parent / "empty").mkdir()
    (archive.parent / "empty" / "readme.txt").write_text("no model")
    return archived(archive.parent / "empty")


def truncated(archive: Path) -> bytes:
    return archive.read_bytes()[: archive.stat().st_size // 2]


def garbled(archive: Path) -> bytes:
    content = bytearray(archive.read_bytes())
    content[200:400] = bytes(range(200))
    return bytes(content)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(without_model, "no saved_model.pb"), (truncated, "not an archive of"), (garbled, "not an archive of")],
)
def test_an_archive_that_holds_no_model_is_refused_and_nothing_of_it_stays(archive, tmp_path, spoil, reason):
    archive.write_bytes(spoil(archive))
    assert reason in refused(archive, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("spoil", [without_model, truncated, garbled, lambda _: b"<html>not found</html>"])
def test_a_fetched_archive_that_holds_no_model_is_refused(archive, shelf, tmp_path, spoil):
    shelf.files["/model.tar.gz"] = spoil(archive)
    message = refused(f"{shelf.address}/model.tar.gz", tmp_path)
    assert "cannot be loaded" in message


def test_a_map_of_features_is_not_a_vector(tmp_path):
    message = refused(hub_model(tmp_path / "map", pooled=False), tmp_path)
    assert "gives [1, 8, 8, 12], not a feature vector [B, n]" in message


def test_a_network_for_grey_photos_is_refused(tmp_path):
    keras_network(channels=1).save(tmp_path / "grey.keras")
    for handle in (hub_model(tmp_path / "grey", channels=1), tmp_path / "grey.keras"):
        assert "does not take float32 [B, 32, 32, 3]" in refused(handle, tmp_path)


def test_a_size_that_a_network_does_not_take_is_refused(saved, tmp_path):
    keras_network().save(tmp_path / "mine.keras")
    for handle, size in ((saved, 32), (tmp_path / "mine.keras", 32), ("bundled", 224)):
        assert f"takes photos of {size} pixels, not of 100" in refused(handle, tmp_path, input_size=100)


def test_a_keras_file_that_is_no_network_for_photos_is_refused(tmp_path):
    from training.siamese import SiameseNetwork, feature_tower

    SiameseNetwork(feature_tower(12, 8)).save(tmp_path / "siamese.keras")
    feature_tower(12, 8).save(tmp_path / "tower.keras")
    for name in ("siamese", "tower"):
        assert "does not take one batch of images" in refused(tmp_path / f"{name}.keras", tmp_path)
    (tmp_path / "torn.keras").write_bytes((tmp_path / "tower.keras").read_bytes()[:3000])
    assert "is not a Keras model that can be read" in refused(tmp_path / "torn.keras", tmp_path)


def test_a_real_mobilenet_comes_through_its_archive(real_data, tmp_path):
    archive = next((real_data / "encoders").glob("mobilenet_v2_*.tar.gz"))
    backbone = load_backbone(str(archive), cache=tmp_path)
    assert (backbone.input_size, backbone.features) == (224, 1280)
    assert [tuple(variable.shape) for variable in backbone.last_layers(1)] == [(1, 1, 320, 1280), (1280,)]
    clothes = sorted((real_data / "data" / "clothing" / "validation").rglob("*.jpg"))[:2]
    from PIL import Image

    batch = np.concatenate([to_input(Image.open(path).convert("RGB"), 224) for path in clothes])
    found = np.asarray(backbone.forward(batch))
    assert np.isfinite(found).all()
    assert (found[0] != found[1]).any()
