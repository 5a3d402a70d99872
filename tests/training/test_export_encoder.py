"""manage.py export_encoder: files for other places, with what int8 costs, or an error and nothing left behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError
from PIL import Image

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed: make setup")

from embeddings.backends import BUNDLED, bundled_weights, get_encoder  # noqa: E402
from embeddings.encoders.litert import LiteRTEncoder  # noqa: E402
from embeddings.encoders.preprocessing import to_input  # noqa: E402
from embeddings.evaluation.metrics import METRICS  # noqa: E402
from embeddings.models import EncoderVersion  # noqa: E402
from tests.drawings import drawings, write  # noqa: E402
from tests.training.conftest import SMALL, installed, printed  # noqa: E402

# TensorFlow's arrays are older than NumPy's keyword `copy`.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]


@dataclass(frozen=True)
class Exported:
    """A trained version as files, what the command printed, and the encoder that serves."""

    folder: Path
    printed: str
    serving: LiteRTEncoder


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Three kinds of drawings, eight of each."""
    return write(tmp_path_factory.mktemp("photos"), drawings(8))


@pytest.fixture(scope="module")
def exported(photos, tmp_path_factory, django_db_setup, django_db_blocker) -> Iterator[Exported]:
    """Trained and exported once for all tests that look at it; its row is gone afterwards."""
    with installed(tmp_path_factory.mktemp("installation")) as root, django_db_blocker.unblock():
        printed("train", "--data", photos, *SMALL)
        version = EncoderVersion.objects.get(encoder__endswith=".tflite")
        text = printed("export_encoder", version.label, "--out", root / "exported", "--photos", photos)
        version.delete()
        yield Exported(root / "exported", text, LiteRTEncoder(root / "encoders" / version.encoder))


def images(photos: Path) -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in sorted(photos.rglob("*.jpg"))]


def test_float_int8_and_saved_model_are_written_with_a_card(exported):
    assert {path.name for path in exported.folder.iterdir()} == {
        "model.tflite", "model-int8.tflite", "saved_model", "MODEL_CARD.md",
    }  # fmt: skip
    card = (exported.folder / "MODEL_CARD.md").read_text()
    assert "# An encoder trained on" in card
    assert "## Exported files" in card


def test_int8_is_smaller(exported):
    sizes = {name: (exported.folder / name).stat().st_size for name in ("model.tflite", "model-int8.tflite")}
    assert sizes["model-int8.tflite"] < 0.5 * sizes["model.tflite"]
    assert all(f"{name}: {size / 1e6:.1f} MB" in exported.printed for name, size in sizes.items())


def test_figures_of_all_are_printed_and_stand_on_the_card(exported):
    table = [line for line in exported.printed.splitlines() if line.startswith("|")]
    assert [line.split()[1] for line in table] == ["file", "---", "serving", "float", "int8"]
    assert all(title in table[0] for title in METRICS.values())
    figures = {line.split()[1]: float(line.split("|")[2]) for line in table[2:]}
    assert figures["float"] == pytest.approx(figures["serving"], abs=0.02)
    assert all(line in (exported.folder / "MODEL_CARD.md").read_text() for line in table)


def test_float_and_saved_model_say_what_serving_says(exported, photos):
    wanted = exported.serving.encode(images(photos))
    assert np.allclose(LiteRTEncoder(exported.folder / "model.tflite").encode(images(photos)), wanted, atol=5e-3)
    module = tf.saved_model.load(str(exported.folder / "saved_model"))
    batch = np.concatenate([to_input(image, exported.serving.input_size) for image in images(photos)])
    assert np.allclose(module(tf.constant(batch)), wanted, atol=5e-3)


def test_int8_says_nearly_the_same(exported, photos):
    int8 = LiteRTEncoder(exported.folder / "model-int8.tflite")
    cosines = (int8.encode(images(photos)) * exported.serving.encode(images(photos))).sum(axis=1)
    assert cosines.mean() > 0.9


def test_the_bundled_encoder_can_be_exported_too(photos, installation):
    out = installation / "bundled"
    printed("export_encoder", "all-v1", "--out", out, "--photos", photos)
    assert np.allclose(
        LiteRTEncoder(out / "model.tflite").encode(images(photos)),
        LiteRTEncoder(bundled_weights("bundled")).encode(images(photos)),
        atol=1e-3,
    )
    int8 = LiteRTEncoder(out / "model-int8.tflite").encode(images(photos))
    assert (int8 * get_encoder("bundled").encode(images(photos))).sum(axis=1).mean() > 0.9
    assert (BUNDLED.parent / "MODEL_CARD.md").read_text() in (out / "MODEL_CARD.md").read_text()


def test_a_folder_that_exists_is_refused_and_stays_as_it_is(photos, installation):
    kept = write(installation / "there", {"mine.txt": b"mine"})
    with pytest.raises(CommandError, match="exists already: name a folder that does not"):
        printed("export_encoder", "all-v1", "--out", kept, "--photos", photos)
    assert [path.name for path in kept.iterdir()] == ["mine.txt"]


@pytest.fixture
def taken_in(photos, installation) -> str:
    """The label of a version that came as a LiteRT file."""
    (installation / "other.tflite").parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(BUNDLED, installation / "other.tflite")
    printed("add_encoder", installation / "other.tflite", "--collection", "other")
    return EncoderVersion.objects.select_related("collection").get(collection__slug="other").label


def test_a_failure_leaves_nothing_behind(photos, installation, taken_in, tmp_path):
    broken = write(tmp_path / "broken", {"balls/1.jpg": b"x", "combs/1.jpg": b"y"})
    for version, source, message in (
        ("all-v9", photos, "there is no encoder version 'all-v9'"),
        ("all-v1", tmp_path / "nowhere", "there is no file or folder"),
        ("all-v1", broken, "none of the 2 photos"),
        (taken_in, photos, "without a SavedModel there is nothing to export from"),
    ):
        before = sorted(installation.iterdir())
        with pytest.raises(CommandError, match=message):
            printed("export_encoder", version, "--out", installation / "exported", "--photos", source)
        assert sorted(installation.iterdir()) == before


def test_an_interruption_leaves_nothing_behind(photos, installation, monkeypatch):
    from training.portable import Portable

    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(Portable, "litert_int8", interrupted)
    installation.mkdir()
    with pytest.raises(KeyboardInterrupt):
        printed("export_encoder", "all-v1", "--out", installation / "exported", "--photos", photos)
    assert list(installation.iterdir()) == []
