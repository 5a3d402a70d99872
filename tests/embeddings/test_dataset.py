"""Photo sets: where labels come from, what is found wrong, and that a split never divides what belongs together."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embeddings.dataset import (
    Manifest,
    classes_in,
    count_common_photos,
    inspect,
    manifest_rows,
    read_catalogue,
    read_folder,
    read_photos,
    split,
)
from embeddings.errors import UnusablePhotos
from product_files.containers.archives import ArchiveRejected
from tests.factories import ProductFactory, ProductImageFactory
from tests.zips import packed


def noise(seed: int, *, brighter: int = 0, quality: int = 90) -> bytes:
    """A photo like no other: coarse noise."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 200, (9, 9, 3), dtype=np.uint8) + np.uint8(brighter)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((72, 72), Image.Resampling.BICUBIC).save(file, "JPEG", quality=quality)
    return file.getvalue()


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@pytest.fixture
def shop(tmp_path) -> Path:
    """Two classes of ten photos."""
    return write(
        tmp_path / "shop",
        {f"{label}/{n}.jpg": noise(100 * i + n) for i, label in enumerate(("hats", "mugs")) for n in range(10)},
    )


def test_a_folder_is_a_class_and_nested_folders_are_nested_classes(tmp_path):
    folder = write(
        tmp_path,
        {"food/fruit/1.jpg": noise(1), "food/milk/1.PNG": noise(2), "notes.txt": b"", ".hidden/1.jpg": noise(3)},
    )
    assert [(photo.name, photo.label) for photo in read_folder(folder).photos] == [
        ("food/fruit/1.jpg", "food/fruit"), ("food/milk/1.PNG", "food/milk"),
    ]  # fmt: skip


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_metadata_names_products_and_classes(tmp_path, mark):
    table = b"File,Product_ID,Category,Note\nhats/1.jpg,H1,,\n2.jpg,M7,kitchen/mugs,\n".replace(b",", mark.encode())
    folder = write(tmp_path, {"hats/1.jpg": noise(1), "2.jpg": noise(2), "metadata.csv": table})
    photos = {photo.name: (photo.label, photo.product) for photo in read_folder(folder).photos}
    assert photos == {"hats/1.jpg": ("hats", "H1"), "2.jpg": ("kitchen/mugs", "M7")}


@pytest.mark.parametrize(
    ("table", "message"),
    [(b"a,b\n1,2\n", "it needs file"), (b"file,product_id\n\xff\xfe,1\n", "CSV in UTF-8"), (b"", "columns none")],
)
def test_metadata_that_cannot_be_used_is_said_to_be_so(shop, table, message):
    write(shop, {"metadata.csv": table})
    with pytest.raises(UnusablePhotos, match=message):
        read_folder(shop)


def test_a_folder_without_photos_says_what_a_folder_should_be(tmp_path):
    with pytest.raises(UnusablePhotos, match="a folder is a class"):
        read_folder(tmp_path)


@pytest.mark.parametrize("top", ["", "export/"])
def test_a_zip_holds_the_classes_itself_or_in_one_folder(tmp_path, top):
    archive = tmp_path / "photos.zip"
    archive.write_bytes(packed({f"{top}hats/1.jpg": noise(1), f"{top}mugs/2.jpg": noise(2)}))
    found = read_photos(archive, None, tmp_path / "unpacked")
    assert [photo.label for photo in found.photos] == ["hats", "mugs"]
    assert classes_in([f"{top}hats/1.jpg", f"{top}mugs/2.jpg", "readme.txt"]) == {"hats": 1, "mugs": 1}


def test_a_zip_that_would_write_elsewhere_writes_nothing(tmp_path):
    archive = tmp_path / "photos.zip"
    archive.write_bytes(packed({"hats/1.jpg": noise(1), "../mugs/2.jpg": noise(2)}))
    with pytest.raises(ArchiveRejected):
        read_photos(archive, None, tmp_path / "deep" / "unpacked")
    assert not (tmp_path / "deep" / "mugs").exists()


@pytest.mark.django_db
def test_the_catalogue_is_a_set_labelled_by_category():
    image, without = (
        ProductImageFactory.create(),
        ProductImageFactory.create(product=ProductFactory.create(category=None)),
    )
    photos = read_catalogue("all", [image, without]).photos
    assert [(photo.label, photo.product) for photo in photos] == [(image.product.category.path, str(image.product_id))]
    assert photos[0].image().size == (32, 24)


def test_unreadable_photos_and_copies_are_left_out_and_counted(shop):
    write(shop, {"hats/broken.jpg": b"not a photo", "mugs/copy.jpg": noise(0)})
    look = inspect(read_folder(shop))
    assert len(look.photos) == 20
    problems = " ".join(look.problems())
    assert "1 unreadable photos" in problems
    assert "hats/broken.jpg" in problems
    assert "mugs/copy.jpg of hats/0.jpg" in problems


def test_small_classes_and_imbalance_are_reported_with_counts(shop):
    write(shop, {"lamps/1.jpg": noise(901)})
    problems = " ".join(inspect(read_folder(shop)).problems())
    assert "1 classes have fewer than 5 photos: lamps" in problems
    write(shop, {f"hats/more-{n}.jpg": noise(1000 + n) for n in range(10)})
    assert "imbalanced: hats has 20 photos, lamps has 1" in " ".join(inspect(read_folder(shop)).problems())


def test_a_photo_saved_again_is_next_to_identical_and_stays_on_the_side_of_the_first(shop):
    write(shop, {f"hats/again-{n}.jpg": noise(n, quality=60) for n in range(10)})
    look = inspect(read_folder(shop))
    assert look.near_duplicates == 20
    group = {photo.name: number for photo, number in zip(look.photos, look.groups.tolist(), strict=True)}
    assert all(group[f"hats/again-{n}.jpg"] == group[f"hats/{n}.jpg"] for n in range(10))
    parts = split(look, fraction=0.3)
    validation = {look.photos[row].name.replace("again-", "") for row in parts.validation}
    train = {look.photos[row].name.replace("again-", "") for row in parts.train}
    assert not validation & train


def test_the_same_drawing_in_another_colour_is_another_photo(tmp_path):
    folder = write(tmp_path, {"hats/1.jpg": noise(1), "hats/2.jpg": noise(1, brighter=50)})
    assert inspect(read_folder(folder)).near_duplicates == 0


def test_a_split_is_stratified_and_seeded(shop):
    look = inspect(read_folder(shop))
    parts = split(look, fraction=0.2, seed=3)
    assert sorted([*parts.train, *parts.validation]) == list(range(20))
    assert sorted(look.photos[row].label for row in parts.validation) == ["hats"] * 2 + ["mugs"] * 2
    again, other = split(look, fraction=0.2, seed=3), split(look, fraction=0.2, seed=4)
    assert again.validation.tolist() == parts.validation.tolist()
    assert other.validation.tolist() != parts.validation.tolist()


def test_photos_of_one_product_are_never_divided(shop):
    rows = "".join(f"{label}/{n}.jpg,{label}-{n // 3}\n" for label in ("hats", "mugs") for n in range(10))
    write(shop, {"metadata.csv": b"file,product_id\n" + rows.encode()})
    look = inspect(read_folder(shop))
    parts = split(look, fraction=0.3)
    products = [{look.photos[row].product for row in rows} for rows in (parts.train, parts.validation)]
    assert not products[0] & products[1]
    assert {look.photos[row].label for row in parts.train} == {"hats", "mugs"}


def test_most_of_a_class_is_never_kept_aside_to_validate_with(shop):
    rows = "".join(f"hats/{n}.jpg,{'one' if n < 7 else n}\n" for n in range(10))
    write(shop, {"metadata.csv": b"file,product_id\n" + rows.encode()})
    look = inspect(read_folder(shop))
    for seed in range(10):
        aside = [look.photos[row].product for row in split(look, seed=seed).validation]
        assert "one" not in aside


def test_what_cannot_be_divided_is_said_to_be_so(tmp_path):
    folder = write(tmp_path, {"hats/1.jpg": noise(1), "mugs/1.jpg": noise(2)})
    with pytest.raises(UnusablePhotos, match="more photos"):
        split(inspect(read_folder(folder)))


def test_photos_that_two_sets_share_are_counted_saved_again_or_not(shop, tmp_path):
    other = write(
        tmp_path / "other", {"hats/a.jpg": noise(0), "hats/b.jpg": noise(77), "hats/c.jpg": noise(3, quality=60)}
    )
    assert count_common_photos(inspect(read_folder(other)), inspect(read_folder(shop))) == 2


def test_a_manifest_names_every_photo_with_its_hash_and_split(shop):
    look = inspect(read_folder(shop))
    parts = split(look)
    rows = [*manifest_rows(look, parts.train, "train"), *manifest_rows(look, parts.validation, "validation")]
    summary = Manifest("shop", rows, ["a problem"]).summary()
    assert summary["count"] == 20
    assert sum(summary["splits"]["train"].values()) == len(parts.train)
    assert Manifest("shop", rows[::-1]).summary()["sha256"] != summary["sha256"]
    assert len({row["sha256"] for row in Manifest("shop", rows).as_dict()["photos"]}) == 20


@pytest.mark.django_db
def test_only_photos_with_products_can_be_judged_by_product(shop):
    with pytest.raises(UnusablePhotos, match="product_id"):
        read_folder(shop).of_products()
