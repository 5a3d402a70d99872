"""Import of a zip: the same as from a folder, and no temporary files remain."""

from __future__ import annotations

import contextlib
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from catalog.models import Product, ProductImage
from product_files.containers.archives import SafeArchive
from tests.catalog.importing import counts, run
from tests.factories import jpeg
from tests.zips import PHOTOS, link, packed

pytestmark = pytest.mark.django_db

TABLE = b"sku,title,image\nm1,Red mug,red.jpg\nm2,Blue mug,blue.jpg|missing.jpg\n"
SHOP = {"products.csv": TABLE, "images/red.jpg": jpeg("red"), "images/blue.jpg": jpeg("blue")}


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, which must be empty after the import."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def archive(tmp_path: Path, content: bytes, name: str = "shop.zip") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_folders_in_a_zip_are_categories(tmp_path: Path) -> None:
    path = archive(tmp_path, packed())
    assert counts(run(path)) == (6, 0, 0, 0)
    assert str(Product.objects.get(sku="mugs/0.jpg").category) == "mugs"
    assert counts(run(path)) == (0, 0, 6, 0)


def test_the_folder_that_everything_lies_in_is_no_category(tmp_path: Path) -> None:
    run(archive(tmp_path, packed({f"photos/{name}": content for name, content in PHOTOS.items()})))
    assert str(Product.objects.get(sku="mugs/0.jpg").category) == "mugs"


@pytest.mark.parametrize("folder", ["", "export/"])
def test_a_table_in_a_zip_finds_its_photos_there(tmp_path: Path, folder: str) -> None:
    run(archive(tmp_path, packed({folder + name: content for name, content in SHOP.items()})))
    assert ProductImage.objects.filter(product__sku="m1").count() == 1


def test_a_feed_of_yandex_market_in_a_zip_may_be_named_yml(tmp_path: Path) -> None:
    feed = """<?xml version="1.0"?><yml_catalog date="2026-01-01"><shop><categories><category id="1">Mugs</category></categories>
<offers><offer id="m1"><name>Mug</name><price>5</price><currencyId>RUB</currencyId><categoryId>1</categoryId></offer></offers>
</shop></yml_catalog>"""
    run(archive(tmp_path, packed({"feed.yml": feed.encode(), "red.jpg": jpeg("red")})))
    assert [(each.sku, each.title) for each in Product.objects.all()] == [("m1", "Mug")]


def test_the_report_names_members_and_no_temporary_path(tmp_path: Path) -> None:
    report = run(archive(tmp_path, packed(SHOP)))
    (problem,) = report["problems"]
    assert problem["photo"] == "missing.jpg"
    assert problem["reason"] == "there is no file missing.jpg in the archive"


def test_a_zip_is_known_by_its_content(tmp_path: Path) -> None:
    assert counts(run(archive(tmp_path, packed(), name="export.bin"))) == (6, 0, 0, 0)


def test_a_zip_with_a_table_can_be_taken_as_photos(tmp_path: Path) -> None:
    report = run(archive(tmp_path, packed({**PHOTOS, "metadata.csv": b"file,product_id\n"})), "--format", "folder")
    assert counts(report) == (6, 0, 0, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (packed([link("mugs/1.jpg", "/etc/passwd")]), "is a link or a device"),
        (packed({"../1.jpg": b"x"}), "leads out of the archive"),
        (packed()[:300], "the archive is damaged"),
        (packed({"a.csv": TABLE, "b/b.csv": TABLE}), r"2 tables in the archive \(a.csv, b/b.csv\)"),
        (packed({"products.csv": b"name\n"}), "no column is mapped to the field sku"),
        (packed({"products.csv": packed()}), "products.csv in .*shop.zip is not a table"),
    ],
)
def test_an_archive_that_cannot_be_used_is_explained(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(archive(tmp_path, content))


def test_what_is_asked_for_as_a_zip_has_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is not a zip archive"):
        run(archive(tmp_path, TABLE), "--format", "zip")


@pytest.mark.parametrize("content", [packed(), packed(SHOP), packed({"products.csv": b"name\n"}), packed()[:-9]])
def test_nothing_is_left_behind(tmp_path: Path, temporary: Path, content: bytes) -> None:
    with contextlib.suppress(CommandError):
        run(archive(tmp_path, content))
    assert not list(temporary.iterdir())


def test_interrupted_while_it_is_unpacked_it_imports_nothing_and_leaves_nothing_behind(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = SafeArchive.extract_to

    def with_ctrl_c(self: SafeArchive, folder: Path, on_file: Any = None, **options: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        original(self, folder, on_file, **options)

    monkeypatch.setattr(SafeArchive, "extract_to", with_ctrl_c)
    with pytest.raises(CommandError, match="nothing was imported") as stopped:
        run(archive(tmp_path, packed()))
    assert stopped.value.returncode == 130
    assert not list(temporary.iterdir())
    assert not Product.objects.exists()


def test_a_real_shop_comes_in_whole_from_a_zip(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "data" / "eshop_adventure"
    files = {f"shop/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    mapping = Path(__file__).parents[2] / "examples" / "mappings" / "eshop_adventure.toml"
    report = run(archive(tmp_path, packed(files)), "--mapping", str(mapping))
    assert (*counts(report), report["photos_added"]) == (101, 0, 0, 0, 101)
