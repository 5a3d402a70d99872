"""manage.py train: a new version with all that belongs to it, or an error and nothing left behind."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError
from PIL import Image

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed: make setup")
keras = pytest.importorskip("keras", reason="TensorFlow is not installed: make setup")

from catalog.services import attach_image  # noqa: E402
from embeddings import versions  # noqa: E402
from embeddings.encoders.litert import LiteRTEncoder  # noqa: E402
from embeddings.encoders.preprocessing import to_input  # noqa: E402
from embeddings.evaluation.metrics import METRICS  # noqa: E402
from embeddings.models import Collection, EncoderVersion  # noqa: E402
from jobs import execution  # noqa: E402
from jobs.models import Job  # noqa: E402
from pictures.photos import validate_photo  # noqa: E402
from tests.drawings import KINDS, drawing, drawings, write  # noqa: E402
from tests.factories import CategoryFactory, ProductFactory  # noqa: E402
from tests.training.conftest import SMALL, installed, printed  # noqa: E402
from tests.training.networks import hub_model, keras_network  # noqa: E402
from tests.zips import packed  # noqa: E402
from training import encoder_files  # noqa: E402
from training import fine_tune as flow  # noqa: E402
from training.backbones import load_backbone  # noqa: E402
from training.job_kinds import TRAIN, training_verdict  # noqa: E402

# TensorFlow's arrays are older than NumPy's keyword `copy`.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]


@dataclass(frozen=True)
class Trained:
    """A version that `manage.py train` made, and what it printed."""

    version: EncoderVersion
    files: Path
    printed: str

    @property
    def encoder(self) -> LiteRTEncoder:
        return LiteRTEncoder(self.files / "model.tflite")


def version_of(result: dict[str, Any]) -> EncoderVersion:
    return versions.find_version(result["encoder"])


def files_of(root: Path) -> list[str]:
    """What lies in ENCODERS_ROOT, but for backbones."""
    encoders = root / "encoders"
    return [path.name for path in encoders.iterdir() if path.name != "backbones"] if encoders.exists() else []


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Three kinds of drawings, fourteen of each."""
    return write(tmp_path_factory.mktemp("photos"), drawings(14))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A backbone that takes no time."""
    return hub_model(tmp_path_factory.mktemp("backbone") / "tiny")


@pytest.fixture
def train(installation, tiny, monkeypatch) -> Callable[..., dict[str, Any]]:
    """Trains quickly in the test's own installation; returns what --json says. The report's pictures are looked at in `trained`."""
    monkeypatch.setattr(encoder_files, "write_report", lambda *_: None)

    def run(*arguments: object) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(printed("train", *SMALL, "--backbone", tiny, "--json", *arguments))
        return result

    return run


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory, django_db_setup, django_db_blocker) -> Iterator[Trained]:
    """Trained once for all that only look at it; its row is gone afterwards."""
    with installed(tmp_path_factory.mktemp("installation")) as root, django_db_blocker.unblock():
        before = Collection.objects.get(slug="all").active_version
        text = printed("train", "--data", photos, *SMALL)
        version = EncoderVersion.objects.select_related("collection__active_version").get(encoder__endswith=".tflite")
        assert version.collection.active_version == before
        version.delete()
        yield Trained(version, root / "encoders" / version.files, text)


def test_a_version_comes_with_its_files_and_a_fingerprint_that_is_true(trained):
    assert {path.name for path in trained.files.iterdir()} == {
        "model.tflite", "saved_model", "manifest.json", "MODEL_CARD.md", "report",
    }  # fmt: skip
    assert (trained.files / "report" / "report.html").read_text().count("<img")
    model = (trained.files / "model.tflite").read_bytes()
    assert trained.version.fingerprint == hashlib.sha256(model).hexdigest()
    assert trained.version.encoder == f"{trained.version.files}/model.tflite"
    assert (trained.version.dim, trained.encoder.dim) == (16, 16)


def test_a_version_in_int8_is_smaller_and_its_figures_are_its_own(train, photos, installation):
    sizes, encoders = [], []
    for precision in ("float16", "int8"):
        result = train("--data", photos, "--backbone", "bundled-fast", "--precision", precision)
        assert result["recipe"]["precision"] == precision
        version = EncoderVersion.objects.get(fingerprint=result["fingerprint"])
        path = installation / "encoders" / version.encoder
        sizes.append(path.stat().st_size)
        encoders.append(LiteRTEncoder(path))
        assert result["figures"]["fine-tuned"]["recall_at_1"] > 0.8
    assert sizes[1] < 0.7 * sizes[0]
    images = [Image.open(path).convert("RGB") for path in sorted(photos.rglob("*.jpg"))[:6]]
    assert not np.array_equal(encoders[0].encode(images), encoders[1].encode(images))


def test_every_photo_is_in_the_manifest_on_its_side_of_the_split(trained, photos):
    manifest = json.loads((trained.files / "manifest.json").read_text())
    rows = {row["name"]: row for row in manifest["photos"]}
    assert rows.keys() == drawings(14).keys()
    for name, row in rows.items():
        assert row["sha256"] == hashlib.sha256((photos / name).read_bytes()).hexdigest()
        assert (row["label"], row["split"] in ("train", "validation")) == (name.partition("/")[0], True)
    assert manifest["splits"] == trained.version.data["splits"]
    assert manifest["splits"]["validation"] == dict.fromkeys(KINDS, 3)


def test_the_card_describes_the_training_and_the_quality(trained):
    card = (trained.files / "MODEL_CARD.md").read_text()
    assert f"| fingerprint | {trained.version.fingerprint} |" in card
    assert "| photos to train on | 33 |" in card
    assert "| backbone | bundled-fast |" in card
    assert "| fine-tuned | 9 |" in card


def test_figures_are_printed_beside_those_of_the_raw_backbone_and_of_the_active_version(trained):
    lines = trained.printed.splitlines()
    assert all(title in lines[0] for title in METRICS.values())
    assert [line.rpartition(") ")[0] or line.split()[0] for line in (" ".join(each.split()) for each in lines[1:4])] == [
        "fine-tuned", "raw backbone (bundled-fast", "active (all-v1",
    ]  # fmt: skip
    assert f"To use it: manage.py activate_encoder {trained.version.label}" in trained.printed
    stored = trained.version.metrics["outcomes"]
    assert [each["name"] for each in stored] == ["fine-tuned", "raw backbone (bundled-fast)", "active (all-v1)"]
    assert stored[0]["recall_at_1"] == 1
    assert len(trained.version.metrics["curve"]) == 6


def test_serving_and_the_saved_model_say_the_same(trained, photos):
    module = tf.saved_model.load(str(trained.files / "saved_model"))
    images = [photo for kind in KINDS for photo in sorted((photos / kind).iterdir())[:4]]
    opened = [Image.open(path).convert("RGB") for path in images]
    batch = np.concatenate([to_input(image, trained.encoder.input_size) for image in opened])
    assert np.allclose(module(tf.constant(batch)), trained.encoder.encode(opened), atol=5e-3)


def test_classes_that_were_separated_are_near_each_other(trained):
    unseen = [Image.open(io.BytesIO(drawing(kind, seed))) for kind in KINDS for seed in range(100, 110)]
    vectors = trained.encoder.encode(unseen)
    similar = vectors @ vectors.T - 2 * np.eye(len(vectors))
    assert (similar.argmax(axis=1) // 10 == np.arange(len(vectors)) // 10).mean() > 0.85


def test_json_says_all_of_it_to_a_program(train, photos):
    result = train("--data", photos, "--collection", "drawings")
    version = EncoderVersion.objects.get(collection__slug="drawings")
    assert (result["encoder"], result["fingerprint"], result["dim"]) == ("drawings-v1", version.fingerprint, 16)
    assert not result["activated"]
    assert result["figures"].keys() == {"fine-tuned", "raw backbone (tiny)"}
    assert result["figures"]["fine-tuned"].keys() >= {*METRICS, "queries", "gallery"}
    assert (result["data"]["count"], result["problems"]) == (42, result["data"]["problems"])
    assert (result["recipe"]["hidden"], result["recipe"]["loss"]) == (32, "normalised-softmax")


def test_corrupt_photos_among_good_ones_are_counted_and_left_out(train, tmp_path):
    files = drawings(8)
    files |= {"balls/broken.jpg": b"not a photo", "combs/torn.jpg": files["combs/001.jpg"][:400], "combs/zero.png": b""}
    result = train("--data", write(tmp_path / "set", files))
    assert result["data"]["count"] == 24
    (problem,) = [each for each in result["problems"] if "unreadable" in each]
    assert problem.startswith("3 unreadable photos are left out; the first: balls/broken.jpg: ")
    assert str(tmp_path) not in json.dumps(result)


def test_photos_beside_the_folders_are_of_no_class(train, tmp_path):
    table = "file,product_id\nloose.jpg,P1\n"
    files = {**drawings(6), "loose.jpg": drawing("balls", 50), "metadata.csv": table.encode()}
    result = train("--data", write(tmp_path / "set", files))
    assert result["data"]["splits"]["train"].keys() == set(KINDS)
    assert result["data"]["count"] == 18


def by_product(tmp_path: Path) -> Path:
    """Six products of each kind with three photos each, and photos of which nobody knows what they show."""
    files = drawings(18)
    rows = "".join(f"{name},{name.partition('/')[0]}-{number // 3}\n" for number, name in enumerate(sorted(files)))
    files |= {f"balls/unknown-{seed}.jpg": drawing("balls", 200 + seed) for seed in range(5)}
    return write(tmp_path / "products", {**files, "metadata.csv": b"file,product_id\n" + rows.encode()})


def test_by_product_each_product_is_a_class_of_its_own(train, tmp_path):
    result = train("--data", by_product(tmp_path), "--by-product", "--fraction", 0.3)
    assert result["recipe"]["by_product"]
    assert result["data"]["products"] == 18
    # What nobody knows the product of is neither a class nor in the set.
    assert result["data"]["count"] == 54
    fine_tuned = result["figures"]["fine-tuned"]
    # Each photo asks for the others of its product, among photos that were not trained on.
    assert fine_tuned["queries"] == fine_tuned["gallery"] == sum(result["data"]["splits"]["validation"].values())
    assert fine_tuned["queries"] % 3 == 0


def with_colours(folder: Path) -> Path:
    """The same, and the colour of each product but one in four."""
    table = folder / "metadata.csv"
    head, *rows = table.read_text().splitlines()
    colours = ["red", "blue", "green", ""]
    lines = [f"{row},{colours[int(row.rpartition('-')[2]) % 4]}" for row in rows]
    table.write_text("\n".join([f"{head},color", *lines]) + "\n")
    return folder


def test_category_and_colour_are_learned_beside_the_product_and_only_the_embedding_is_kept(
    train, tmp_path, installation, tiny
):
    photos = with_colours(by_product(tmp_path))
    options = ("--data", photos, "--by-product", "--fraction", 0.3)
    result = train(*options, "--also", "category,colour")
    assert result["recipe"]["also"] == "category, colour"
    learned = result["further_labels"]
    assert {name: label["values"] for name, label in learned.items()} == {"category": 3, "colour": 3}
    taught = sum(result["data"]["splits"]["train"].values())
    assert learned["category"]["photos"] == taught > learned["colour"]["photos"]
    unknown = taught - learned["colour"]["photos"]
    assert (
        f"{unknown} of {taught} photos to train on have no colour; it is learned from the others" in result["problems"]
    )
    curve = version_of(result).metrics["curve"]
    assert all(epoch["losses"].keys() == {"product", "category", "colour"} for epoch in curve)
    sizes = {
        slug: (installation / "encoders" / version_of(each).files / "model.tflite").stat().st_size
        for slug, each in (("with", result), ("without", train(*options)))
    }
    # What separates colours was thrown away with what separates products.
    assert sizes["with"] == sizes["without"]
    text = printed("train", *SMALL, "--backbone", tiny, *options, "--also", "colour")
    assert re.search(r"also learned: colour, 3 values of \d+ photos, loss \d+\.\d{4}", text)


def test_the_report_and_the_card_say_what_was_learned_beside_the_class(photos, tmp_path, installation, tiny):
    folder = write(tmp_path / "coloured", drawings(6))
    rows = "".join(
        f"{kind}/{number:03d}.jpg,{'red' if number % 2 else 'blue'}\n" for kind in KINDS for number in range(6)
    )
    (folder / "metadata.csv").write_text(f"file,category,colour\n{rows.replace(',', ',,')}")
    printed("train", *SMALL, "--backbone", tiny, "--data", folder, "--also", "colour")
    version = EncoderVersion.objects.get(encoder__endswith=".tflite")
    files = installation / "encoders" / version.files
    report = (files / "report" / "report.html").read_text()
    assert re.search(r"Losses at the end: category \d+\.\d{3}, colour \d+\.\d{3}\.", report)
    assert "| also | colour |" in (files / "MODEL_CARD.md").read_text()


def test_a_catalogue_brings_its_own_further_labels(train):
    for kind in KINDS:
        category = CategoryFactory.create(name=kind)
        for seed in range(6):
            product = ProductFactory.create(
                category=category, brand=f"Brand {seed % 2}", attributes={"colour": ["red", "blue", "green"][seed % 3]}
            )
            attach_image(product, validate_photo(drawing(kind, seed)))
    learned = train("--collection", "drawn", "--also", "brand,colour,product")["further_labels"]
    assert {name: label["values"] for name, label in learned.items()} == {"brand": 2, "colour": 3, "product": 15}


def test_by_product_needs_to_know_the_products(train, photos):
    with pytest.raises(CommandError, match=r"add a metadata\.csv with the columns file and product_id"):
        train("--data", photos, "--by-product")


def test_validation_photos_may_be_a_set_of_their_own(train, photos, tmp_path):
    other = write(tmp_path / "other", {**drawings(3, first=60), "balls/known.jpg": drawing("balls", 0)})
    result = train("--data", photos, "--validation", other)
    assert {name: sum(counts.values()) for name, counts in result["data"]["splits"].items()} == {
        "train": 42, "validation": 10,
    }  # fmt: skip
    assert result["figures"]["fine-tuned"]["queries"] == 10
    assert any("1 validation photos are among the photos to train on" in each for each in result["problems"])


def test_the_catalogue_itself_is_a_set_to_train_on(train):
    for kind in KINDS:
        category = CategoryFactory.create(name=kind)
        for seed in range(6):
            attach_image(ProductFactory.create(category=category), validate_photo(drawing(kind, seed)))
    result = train("--collection", "drawn", "--categories", "balls,combs")
    assert result["encoder"] == "drawn-v1"
    assert result["data"]["title"] == "the catalogue (drawn)"
    assert result["data"]["splits"]["train"].keys() == {"balls", "combs"}
    assert result["data"]["products"] == 12


def test_a_job_without_an_upload_trains_on_the_catalogue_and_embeds_it_to_be_compared(installation, monkeypatch):
    monkeypatch.setattr(execution, "attach_to_runner", lambda _: None)
    # It writes from threads, which do not see the test's transaction.
    monkeypatch.setattr(execution, "ProgressReporter", lambda _: lambda *_: None)
    monkeypatch.setattr(encoder_files, "write_report", lambda *_: None)
    for kind in KINDS:
        category = CategoryFactory.create(name=kind)
        for seed in range(6):
            attach_image(ProductFactory.create(category=category), validate_photo(drawing(kind, seed)))
    small = {"epochs": 6, "dim": 16, "hidden": 32, "views": 3, "soup": 1}
    job = Job.objects.create(
        kind=TRAIN, state=Job.State.RUNNING, collection="all", parameters={"activate": False, "prepare": True, **small}
    )
    printed("train", "--job", job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == (Job.State.SUCCEEDED, "")
    assert job.result is not None
    assert (job.result["photos"], job.result["activated"]) == (18, False)
    version = versions.find_version(job.result["encoder"])
    assert {each["category"] for each in version.metrics["finds"]} == set(KINDS)
    assert training_verdict(version)[0].startswith("Of 100 photos, all-v")


def test_one_head_is_trained_over_the_features_of_several_backbones(train, photos, tiny, tmp_path, settings):
    keras_network(48, features=20, seed=3).save(tmp_path / "other.keras")
    settings.BACKBONES = {"named": str(tiny)}
    result = train("--data", photos, "--backbone", f"named+{tmp_path / 'other.keras'}")
    version = version_of(result)
    assert (version.recipe["backbone"], version.recipe["input_size"]) == ("tiny+other.keras", 48)
    assert [each["name"] for each in version.metrics["outcomes"]][:2] == [
        "fine-tuned",
        "raw backbone (tiny+other.keras)",
    ]
    # One graph answers, for photos of the larger size.
    encoder = LiteRTEncoder(settings.ENCODERS_ROOT / version.files / "model.tflite")
    assert (encoder.input_size, encoder.dim) == (48, 16)


def test_the_last_layers_of_a_backbone_are_trained_too_and_validation_gets_no_worse(
    train, photos, tmp_path, installation
):
    keras_network(features=24).save(tmp_path / "tiny.keras")
    options = ("--data", photos, "--backbone", tmp_path / "tiny.keras")
    frozen = train(*options)
    unfrozen = train(*options, "--unfreeze", 2, "--unfreeze-epochs", 6)
    assert (unfrozen["recipe"]["unfreeze"], unfrozen["recipe"]["unfreeze_epochs"]) == (2, 6)
    # What serves keeps weights in half precision.
    before, after = (each["figures"]["fine-tuned"]["mean_average_precision"] for each in (frozen, unfrozen))
    assert after >= before - 0.01
    assert [epoch["number"] for epoch in version_of(unfrozen).metrics["curve"]] == list(range(1, 13))
    given = [
        variable.numpy()
        for layer in load_backbone(str(tmp_path / "tiny.keras"), cache=tmp_path).layers
        for variable in layer
    ]
    kept = tf.saved_model.load(str(installation / "encoders" / version_of(unfrozen).files / "saved_model")).weights
    changed = [not np.array_equal(one, other) for one, other in zip(given, kept, strict=False)]
    # The first convolution, and the running statistics of the second layer, are as they were.
    assert changed == [False, False, True, True, False, False, True, True]


def test_further_labels_are_learned_by_the_last_layers_too(train, tmp_path):
    keras_network(features=24).save(tmp_path / "tiny.keras")
    options = (
        "--by-product",
        "--fraction",
        0.3,
        "--also",
        "colour",
        "--epochs",
        2,
        "--unfreeze",
        1,
        "--unfreeze-epochs",
        2,
    )
    result = train("--data", with_colours(by_product(tmp_path)), "--backbone", tmp_path / "tiny.keras", *options)
    curve = version_of(result).metrics["curve"]
    assert [epoch["losses"].keys() for epoch in curve] == [{"product", "colour"}] * 4
    for epoch in curve:
        assert epoch["loss"] == pytest.approx(epoch["losses"]["product"] + 0.5 * epoch["losses"]["colour"], rel=1e-3)
    assert result["further_labels"]["colour"]["loss"] == curve[-1]["losses"]["colour"]


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        (drawings(6, kinds=["balls"]), (), "has photos of 1 class to train on: at least two are needed"),
        ({"balls/1.jpg": drawing("balls", 1), "combs/1.jpg": drawing("combs", 1)}, (), "no class can be divided"),
        ({"balls/1.jpg": b"x", "combs/1.jpg": b"y"}, (), "none of the 2 photos"),
        ({"1.jpg": drawing("balls", 1)}, (), "a folder is a class"),
        (drawings(4), ("--backbone", "keras:Nothing"), "keras.applications has no 'Nothing'"),
        (drawings(4), ("--loss", "arcface", "--margin", "9"), "must be an angle"),
        (drawings(4), ("--unfreeze", "999"), "999 cannot be unfrozen"),
        (drawings(4), ("--fraction", "1.5"), "it lies between 0 and 1"),
        (
            drawings(4),
            ("--also", "colour"),
            "no photo to train on has 'colour', which is to be learned, too: they have category",
        ),
        (drawings(4), ("--also", "category"), "also must not name category: it is the class, which is learned already"),
    ],
)
def test_a_training_that_fails_leaves_nothing_behind(train, tmp_path, installation, files, options, message):
    with pytest.raises(CommandError, match=message):
        train("--data", write(tmp_path / "set", files), "--collection", "new", *options)
    assert not Collection.objects.filter(slug="new").exists()
    assert files_of(installation) == []
    assert list((installation / "training" / "new").glob("photos-*")) == []


def test_a_collection_that_was_there_before_stays_when_a_training_fails(train, tmp_path):
    with pytest.raises(CommandError):
        train("--data", tmp_path)
    assert Collection.objects.filter(slug="all").exists()


def test_a_backbone_that_litert_cannot_run_is_refused(train, photos, tmp_path):
    folder = tmp_path / "odd"

    @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 3], tf.float32)])  # type: ignore[untyped-decorator]
    def call(images: Any) -> Any:
        return tf.math.betainc(tf.reduce_mean(images, [1, 2]), 2.0, 0.5)

    odd = tf.Module()
    odd.__call__ = call
    tf.saved_model.save(odd, str(folder))
    with pytest.raises(CommandError, match="has operations that LiteRT does not run"):
        train("--data", photos, "--backbone", folder)


@pytest.mark.usefixtures("backup_of_each_epoch")
def test_an_interrupted_training_goes_on_and_leaves_its_checkpoint_only_as_long(
    train, photos, installation, monkeypatch
):
    real = flow.train_head

    def interrupted(*arguments: Any, on_epoch: Any, **options: Any) -> Any:
        def stop(epoch: Any) -> None:
            if epoch.number == 3:
                raise KeyboardInterrupt

        return real(*arguments, on_epoch=stop, **options)

    monkeypatch.setattr(flow, "train_head", interrupted)
    with pytest.raises(CommandError, match="Run the same command again to go on") as caught:
        train("--data", photos)
    assert caught.value.returncode == 130
    assert files_of(installation) == []
    epochs = []

    def noted(*arguments: Any, on_epoch: Any, **options: Any) -> Any:
        return real(*arguments, on_epoch=lambda epoch: epochs.append(epoch.number), **options)

    monkeypatch.setattr(flow, "train_head", noted)
    train("--data", photos)
    assert epochs == [4, 5, 6]
    assert not (installation / "training" / "all" / "checkpoints").exists()


def reason_of(parameters: dict[str, Any], files: dict[str, bytes], settings: Any, monkeypatch: Any) -> str:
    """Why the job of this training fails, run as its child process would run it."""
    # It makes the process end with whoever holds its input.
    monkeypatch.setattr(execution, "attach_to_runner", lambda _: None)
    settings.UPLOADS_ROOT.mkdir()
    (settings.UPLOADS_ROOT / "sent.zip").write_bytes(packed(files))
    job = Job.objects.create(
        kind=TRAIN, state=Job.State.RUNNING, collection="all", upload="sent.zip",
        parameters=parameters,
    )  # fmt: skip
    printed("train", "--job", job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    return str(job.error)


@pytest.mark.parametrize(
    ("backbone", "files", "reason"),
    [
        ("bundled", {"balls/1.jpg": b"x", "combs/1.jpg": b"y"}, "none of the 2 photos of sent.zip can be read"),
        ("bundled", {**drawings(3), "metadata.csv": b"a,b\n1,2\n"}, "metadata.csv has the columns a, b"),
        ("bundled", {"balls/1.txt": b"x"}, "sent.zip has no folder with photos"),
        ("gone", drawings(4), "there is no file gone"),
        ("none", drawings(4), "there is no backbone 'none': give"),
        ("unknown", drawings(4), "this worker's BACKBONES has no 'unknown'"),
    ],
)
def test_whoever_sent_a_job_learns_why_it_failed_and_not_where_things_lie(
    installation, settings, monkeypatch, backbone, files, reason
):
    places = {"gone": str(installation / "my models" / "gone.tar.gz"), "none": str(installation / "models" / "none")}
    settings.BACKBONES = {"bundled": "bundled", **places}
    reason_given = reason_of({"backbone": backbone}, files, settings, monkeypatch)
    assert reason_given.startswith(reason)
    assert str(installation) not in reason_given
    assert "photos-" not in reason_given


def test_a_server_whose_disk_fails_says_so_to_whoever_sent_a_job(installation, settings, monkeypatch):
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(installation / "x.npy"))

    monkeypatch.setattr(flow, "view_features", full)
    reason_given = reason_of({"backbone": "bundled"}, drawings(4), settings, monkeypatch)
    assert reason_given == (
        "the server cannot read or write its files: there is no room left on the disk: free some, then start it again"
    )


def left_over(installation: Path, slug: str) -> Path:
    """What a training unpacked for this collection."""
    return write(installation / "training" / slug / "photos-left", {"data/balls/1.jpg": b"x"})


def test_what_a_killed_training_unpacked_is_swept_by_the_next_one_of_the_collection(train, photos, installation):
    left, other = left_over(installation, "all"), left_over(installation, "food")
    with pytest.raises(CommandError, match="it lies between 0 and 1"):
        train("--data", photos, "--fraction", 2)
    assert not left.exists()
    assert other.exists()


def test_what_a_running_training_has_unpacked_is_left_alone(train, photos, installation):
    left = left_over(installation, "all")
    with (left.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        with pytest.raises(CommandError, match="it lies between 0 and 1"):
            train("--data", photos, "--fraction", 2)
    assert left.exists()


def digits(folder: Path, each: int) -> Path:
    """Ten figures that are easy to distinguish, each moved a little."""
    random = np.random.default_rng(3)
    folder.mkdir()
    for split, count in (("train", each), ("test", 6)):
        for digit in range(10):
            images = np.zeros((count, 28, 28), np.uint8)
            for image in images:
                row, column = 3 + 8 * (digit // 4), 3 + 6 * (digit % 4)
                row, column = (np.array([row, column]) + random.integers(-1, 2, 2)).tolist()
                image[row : row + 6, column : column + 4] = random.integers(150, 255)
            np.savez(folder / f"{split}_{digit}_0.npz", images=images, label=digit)
    return folder


def test_a_siamese_network_is_trained_from_scratch_on_digits(tmp_path, installation):
    from training.siamese import SiameseNetwork

    out = tmp_path / "made" / "siamese.keras"
    text = printed("train", "--siamese", "--data", digits(tmp_path / "digits", 60), "--out", out, "--epochs", 3)
    figures = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    assert (figures["loss"], figures["photos"], figures["test_photos"]) == ("triplet", "600", "60")
    assert float(figures["nearest_neighbour_accuracy"]) > 0.8
    network = keras.saving.load_model(out)
    assert isinstance(network, SiameseNetwork)
    assert network.threshold == pytest.approx(float(figures["threshold"]), abs=1e-4)
    assert not (installation / "training" / "all" / "checkpoints").exists()


@pytest.fixture
def catalogue(installation) -> dict[int, str]:
    """Six products of each kind, each with a photo: their kinds by their ids."""
    found: dict[int, str] = {}
    for kind in KINDS:
        category = CategoryFactory.create(name=kind)
        for seed in range(40, 46):
            product = ProductFactory.create(category=category)
            attach_image(product, validate_photo(drawing(kind, seed)))
            found[product.pk] = kind
    return found


@pytest.mark.parametrize("backbone", [False, True], ids=["pixels", "features"])
def test_a_siamese_network_becomes_a_version_that_answers_once_it_is_activated(
    catalogue, photos, tiny, installation, client, backbone
):
    options = ("--backbone", tiny) if backbone else ("--input-size", 32)
    result = json.loads(
        printed(
            "train", "--siamese", "--data", photos, "--epochs", 6, "--dim", 16, "--collection", "drawn", "--json", *options
        )
    )  # fmt: skip
    version = version_of(result)
    assert (version.label, version.dim) == ("drawn-v1", 16)
    assert result["figures"].keys() == {"Siamese network", *(["raw backbone (tiny)"] if backbone else [])}
    assert version.recipe["siamese"]
    files = installation / "encoders" / version.files
    assert {path.name for path in files.iterdir()} == {
        "model.tflite", "saved_model", "manifest.json", "MODEL_CARD.md", "report",
    }  # fmt: skip
    assert "| Siamese network | 9 |" in (files / "MODEL_CARD.md").read_text()

    printed("activate_encoder", version.label)

    comb = next(product for product, kind in catalogue.items() if kind == "combs")
    answer = client.get(f"/api/products/{comb}/similar?collection=drawn&limit=5").json()
    assert answer["encoder"] == "drawn-v1"
    assert [catalogue[result["product"]["id"]] for result in answer["results"]].count("combs") >= 4


def test_a_version_that_was_trained_on_digits_sees_photos_in_grey(tmp_path, installation):
    result = json.loads(
        printed("train", "--siamese", "--data", digits(tmp_path / "digits", 20), "--epochs", 2, "--dim", 8, "--json")
    )
    encoder = LiteRTEncoder(installation / "encoders" / version_of(result).encoder)
    assert (encoder.input_size, encoder.dim) == (28, 8)
    with np.load(tmp_path / "digits" / "test_3_0.npz") as part:
        digit = part["images"][0]
    grey, red = (
        Image.fromarray(np.stack(channels, axis=2)) for channels in ([digit] * 3, [digit, 0 * digit, 0 * digit])
    )
    dark = Image.fromarray(np.stack([np.rint(digit / 3).astype(np.uint8)] * 3, axis=2))
    assert np.allclose(encoder.encode([red]), encoder.encode([dark]), atol=0.02)
    assert not np.allclose(encoder.encode([grey]), encoder.encode([dark]), atol=1e-3)


def test_a_siamese_network_asks_for_what_it_needs_before_it_is_trained(photos, installation):
    with pytest.raises(CommandError, match="--siamese needs --data"):
        printed("train", "--siamese")
    with pytest.raises(CommandError, match=r"is not the name of a \.keras file"):
        printed("train", "--siamese", "--data", photos, "--out", installation / "siamese.h5")
