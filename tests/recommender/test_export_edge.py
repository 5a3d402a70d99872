"""The folder that manage.py export_edge writes answers as the API does, without a server and without Django."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from catalog.duplicates import make_variants
from catalog.models import Product
from catalog.services import withdraw_products
from embeddings.indexing import process_outbox
from embeddings.models import ImageEmbedding
from embeddings.selectors import clear_live_collection_cache
from embeddings.vector_index.base import Distance
from recommender.edge import build
from tests.recommender.conftest import Shop
from tests.recommender.test_similar import RED

FILES = Path(django_settings.BASE_DIR) / "recommender" / "edge" / "files"


def export(folder: Path, *options: str) -> str:
    """What the command says."""
    said = StringIO()
    call_command("export_edge", "--out", str(folder), *options, stdout=said, stderr=said)
    return said.getvalue()


@pytest.fixture
def photos(real_data: Path) -> Path:
    return real_data / "cases" / "answers" / "images"


@pytest.fixture
def real_shop(photos: Path, settings: Any, empty_index: None, db: None, tmp_path: Path) -> None:
    """A shop of real photos: two mugs are variants, one is withdrawn, and COPY has the photo of another one."""
    settings.CELERY_BROKER_URL = ""
    listed = tmp_path / "shop.csv"
    listed.write_text((photos.parent / "chart.csv").read_text() + "COPY,Mug 3 again,Home > Mugs,20,mug3.jpg\n")
    call_command("import_catalog", str(listed), images=photos, stdout=StringIO())
    mugs = [Product.objects.get(sku=f"MUG-{number}").pk for number in (0, 1, 2)]
    make_variants(mugs[0], mugs[:2])
    withdraw_products([mugs[2]])
    process_outbox()


@pytest.fixture
def without_django(tmp_path: Path) -> dict[str, str]:
    """Variables of a process in which importing Django or a client of a server fails."""
    packages = tmp_path / "blocked"
    for name in ("django", "qdrant_client", "celery", "rest_framework"):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text("raise AssertionError('imported')")
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(packages)}


def ask(folder: Path, variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder / "similar.py"), *arguments]
    return subprocess.run(command, env=variables, cwd="/", capture_output=True, text=True, check=False)


def by_api(api: Client, photo: Path, **parameters: str) -> list[tuple[str, float]]:
    sent = SimpleUploadedFile(photo.name, photo.read_bytes())
    response = api.post("/api/collections/all/search", {"photo": sent, "limit": "5", **parameters})
    assert response.status_code == 200, response.content
    return [(each["product"]["sku"], each["score"]) for each in response.json()["results"]]


def of_one_photo(sku: str) -> str:
    return "MUG-3" if sku == "COPY" else sku


def test_the_runner_answers_as_the_api_does(
    real_shop: None, api: Client, photos: Path, tmp_path: Path, without_django: dict[str, str]
) -> None:
    export(tmp_path / "edge")
    asked = [photos / name for name in ("mug0.jpg", "mug3.jpg", "top2.jpg")]

    for weights in (None, "shape:1", "shape:1,colour:-0.3,pattern:0.2"):
        options = ["--weights", weights] if weights else []
        done = ask(tmp_path / "edge", without_django, *map(str, asked), "--limit", "5", "--json", *options)

        assert done.returncode == 0, done.stderr
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        for photo, answer in zip(asked, answers, strict=True):
            expected = by_api(api, photo, **({"weights": weights} if weights else {}))
            assert len(expected) == 5
            skus = [each["product"]["sku"] for each in answer]
            # Which one of two with the same photo is shown is chance.
            assert [of_one_photo(sku) for sku in skus] == [of_one_photo(sku) for sku, _ in expected]
            assert [each["score"] for each in answer] == pytest.approx([score for _, score in expected], abs=1e-4)


def test_the_folder_says_what_it_is_and_needs(real_shop: None, tmp_path: Path, api: Client) -> None:
    said = export(tmp_path / "edge", "--photos")

    about = json.loads((tmp_path / "edge" / "edge.json").read_text())
    cards = json.loads((tmp_path / "edge" / "cards.json").read_text())
    visible = Product.objects.visible()
    assert (about["collection"], about["encoder"], about["products"]) == ("all", "all-v1", visible.count())
    assert about["preprocessing"]["input_size"] == 224
    assert {card["sku"] for card in cards} == {*visible.values_list("sku", flat=True)}
    shown = api.get(f"/api/products?sku={cards[0]['sku']}").json()["results"]
    assert shown[0].keys() <= cards[0].keys()
    assert all((tmp_path / "edge" / card["photo"]).is_file() for card in cards)
    required = (tmp_path / "edge" / "requirements.txt").read_text().split()
    assert required == [f"{name}=={version(name)}" for name in build.REQUIRED]
    assert f"{about['products']} products" in said
    assert not (tmp_path / "edge" / "page").exists()
    assert {path.name for path in tmp_path.iterdir()} >= {"edge"}


def test_the_runner_has_100_lines_at_most() -> None:
    assert len((FILES / "similar.py").read_text().splitlines()) <= 100


@pytest.fixture
def folder(real_shop: None, tmp_path: Path) -> Path:
    export(tmp_path / "edge")
    return tmp_path / "edge"


def test_what_is_wrong_is_said_in_one_line(folder: Path, without_django: dict[str, str], tmp_path: Path) -> None:
    no_photo = tmp_path / "text.jpg"
    no_photo.write_text("no photo")
    for photo in (no_photo, tmp_path / "missing.jpg"):
        done = ask(folder, without_django, str(photo))
        assert done.returncode == 1
        assert photo.name in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
    (folder / "model.tflite").write_bytes(b"no model")
    done = ask(folder, without_django, str(no_photo))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_folder_is_replaced_with_force_alone_and_whole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "note.txt").write_text("mine")
    with pytest.raises(CommandError, match="not empty; --force replaces"):
        export(folder)
    assert (folder / "note.txt").read_text() == "mine"

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(build, "_write_runner", full)
        with pytest.raises(CommandError, match="cannot be written: No space left on device"):
            export(folder, "--force")
    assert (folder / "note.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".edge")] == []

    export(folder, "--force")
    assert not (folder / "note.txt").exists()
    assert (folder / "similar.py").is_file()


class TestWhatCannotBeExported:
    def test_an_unknown_collection(self, shop: Shop, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="--collection: there is no collection 'none'"):
            export(tmp_path / "edge", "--collection", "none")
        assert not (tmp_path / "edge").exists()

    def test_a_collection_without_photos(self, real_shop: None, tmp_path: Path) -> None:
        ImageEmbedding.objects.all().delete()
        with pytest.raises(CommandError, match="the collection 'all' has no embedded photo"):
            export(tmp_path / "edge")
        assert not (tmp_path / "edge").exists()

    def test_into_a_file_or_around_the_command(
        self, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop.add(RED)
        (tmp_path / "file").touch()
        with pytest.raises(CommandError, match="is a file"):
            export(tmp_path / "file")
        monkeypatch.chdir(tmp_path)
        with pytest.raises(CommandError, match="that the command runs in"):
            export(tmp_path, "--force")

    def test_a_page_without_litert_js_or_with_another_distance(self, real_shop: None, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match=r"--web: .* is not the folder @litertjs"):
            export(tmp_path / "edge", "--web", str(tmp_path))
        row = ImageEmbedding.objects.select_related("version__collection").first()
        assert row is not None
        row.version.collection.distance = Distance.L2
        row.version.collection.save()
        clear_live_collection_cache()
        with pytest.raises(CommandError, match="the page compares by cosine"):
            export(tmp_path / "edge", "--web", str(tmp_path))
