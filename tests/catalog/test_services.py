"""Every write of the catalogue: what it stores, and which events it sends, inside its transaction."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.dispatch import Signal
from PIL import Image

from catalog import events
from catalog.categories import save_category
from catalog.models import Category, Product, ProductImage, UnusedFile
from catalog.services import (
    Attachment,
    SaveResult,
    arrange_images,
    attach_image,
    attach_images,
    delete_products,
    ensure_category,
    remove_images,
    save_product,
    withdraw_products,
)
from catalog.thumbnails import thumbnail
from pictures.photos import Photo, validate_photo
from product_files.product_data import ProductData

pytestmark = pytest.mark.django_db

MUG = ProductData(sku="mug-1", title="Blue mug", category=("Kitchen", "Mugs"), price=Decimal("9.90"), tags=("blue",))


class SentEvents:
    """The events sent so far, as (name, ids)."""

    def __init__(self) -> None:
        self.events: list[tuple[str, list[int]]] = []
        self.all_in_a_transaction = True

    def record(self, signal: Signal, **message: Any) -> None:
        name = next(
            name for name in ("products_changed", "images_changed", "images_removed") if getattr(events, name) is signal
        )
        self.events.append((name, message["product_ids" if name == "products_changed" else "image_ids"]))
        self.all_in_a_transaction &= connection.in_atomic_block


@pytest.fixture
def sent() -> Iterator[SentEvents]:
    sent = SentEvents()
    signals = (events.products_changed, events.images_changed, events.images_removed)
    for signal in signals:
        signal.connect(sent.record)
    yield sent
    for signal in signals:
        signal.disconnect(sent.record)


def photo(colour: str) -> Photo:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "PNG")
    return validate_photo(file.getvalue())


def files(media_root: Path) -> list[str]:
    return sorted(str(path.relative_to(media_root)) for path in media_root.rglob("*") if path.is_file())


def test_a_new_sku_makes_a_product_with_its_slug_and_categories() -> None:
    product, outcome = save_product(MUG)
    product.refresh_from_db()
    assert outcome is SaveResult.CREATED
    assert (product.slug, str(product.category), product.price, product.tags) == (
        "blue-mug",
        "kitchen/mugs",
        Decimal("9.90"),
        ["blue"],
    )
    assert list(Category.objects.values_list("path", "name")) == [("kitchen", "Kitchen"), ("kitchen/mugs", "Mugs")]


def test_a_title_that_makes_no_slug_takes_the_sku_s() -> None:
    product, _ = save_product(replace(MUG, title="青いマグ"))
    assert product.slug == "mug-1"


def test_the_same_details_again_change_nothing_and_send_no_event(sent: SentEvents) -> None:
    save_product(MUG)
    before = Product.objects.get().updated_at
    product, outcome = save_product(MUG)
    assert (outcome, product.updated_at, sent.events) == (SaveResult.UNCHANGED, before, [])


def test_a_changed_price_is_stored_and_its_event_is_sent_in_the_transaction(sent: SentEvents) -> None:
    product, _ = save_product(MUG)
    _, outcome = save_product(replace(MUG, price=Decimal("12.00")))
    product.refresh_from_db()
    assert (outcome, product.price) == (SaveResult.UPDATED, Decimal("12.00"))
    assert sent.events == [("products_changed", [product.pk])]
    assert sent.all_in_a_transaction


def test_a_source_that_speaks_of_some_fields_leaves_the_others_alone() -> None:
    save_product(replace(MUG, description="Holds tea."))
    save_product(ProductData(sku="mug-1", title="Green mug"), fields={"title"})
    product = Product.objects.get()
    assert (product.title, product.description, product.price) == ("Green mug", "Holds tea.", Decimal("9.90"))
    assert str(product.category) == "kitchen/mugs"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sku": ""}, "sku"),
        ({"sku": "x" * 256}, "sku"),
        ({"title": ""}, "title"),
        ({"title": "x" * 301}, "title"),
        ({"price": Decimal(-1)}, "price"),
        ({"price": Decimal("10000000000.00")}, "price"),
        ({"currency": "euro"}, "currency"),
        ({"category": ["x" * 120] * 5}, "category"),
    ],
)
def test_what_does_not_hold_up_is_refused_and_writes_nothing(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        save_product(replace(MUG, **change))
    assert field in refusal.value.message_dict
    assert not Product.objects.exists()
    assert not Category.objects.exists()


def test_category_names_that_are_the_same_slug_are_one_category() -> None:
    assert ensure_category(["Schuhe & Stiefel"]) == ensure_category(["schuhe stiefel"])
    assert ensure_category(["Größe"]).path == "größe"


def test_a_renamed_category_renames_its_subtree_and_sends_an_event_for_its_products(sent: SentEvents) -> None:
    product, _ = save_product(replace(MUG, category=("Kitchen", "Mugs", "Large")))
    bystander = ensure_category(["Kitchenware"])
    kitchen = Category.objects.get(path="kitchen")
    kitchen.name, kitchen.slug = "Cooking", "cooking"
    save_category(kitchen)
    assert sorted(Category.objects.values_list("path", flat=True)) == [
        "cooking",
        "cooking/mugs",
        "cooking/mugs/large",
        "kitchenware",
    ]
    assert sent.events == [("products_changed", [product.pk])]
    bystander.refresh_from_db()
    assert bystander.path == "kitchenware"


def test_a_moved_category_takes_its_subtree_along() -> None:
    large = ensure_category(["Kitchen", "Mugs", "Large"])
    mugs = Category.objects.get(path="kitchen/mugs")
    mugs.parent = ensure_category(["Gifts"])
    save_category(mugs)
    large.refresh_from_db()
    assert large.path == "gifts/mugs/large"


def test_a_category_is_not_moved_below_itself() -> None:
    ensure_category(["Kitchen", "Mugs"])
    kitchen = Category.objects.get(path="kitchen")
    kitchen.parent = Category.objects.get(path="kitchen/mugs")
    with pytest.raises(ValidationError, match="below itself"):
        save_category(kitchen)


def test_an_attached_photo_is_stored_under_its_hash_and_sends_an_event(sent: SentEvents, media_root: Path) -> None:
    product, _ = save_product(MUG)
    blue = photo("blue")
    image, is_new = attach_image(product, blue, alt="A mug")
    assert is_new
    assert (image.width, image.height, image.sha256, image.position) == (40, 30, blue.sha256, 0)
    assert files(media_root) == [f"products/{blue.sha256[:2]}/{blue.sha256}.png"]
    assert (media_root / str(image.file.name)).read_bytes() == blue.content
    assert sent.events == [("images_changed", [image.pk])]
    assert sent.all_in_a_transaction


def test_the_same_photo_is_attached_once_and_may_change_its_place(sent: SentEvents) -> None:
    product, _ = save_product(MUG)
    first, _ = attach_image(product, photo("blue"))
    second, _ = attach_image(product, photo("red"))
    assert second.position == 1
    sent.events.clear()
    again, is_new = attach_image(product, photo("blue"), position=5)
    assert (again.pk, again.position, is_new, sent.events) == (first.pk, 5, False, [])
    arrange_images({first.pk: 1, second.pk: 0})
    assert list(product.images.all()) == [second, first]


def test_photos_of_several_products_are_attached_together(sent: SentEvents, media_root: Path) -> None:
    one, _ = save_product(MUG)
    other, _ = save_product(replace(MUG, sku="mug-2"))
    red, blue, green = photo("red"), photo("blue"), photo("green")
    first, _ = attach_image(one, red)
    (media_root / str(first.file.name)).unlink()
    sent.events.clear()

    attached = attach_images(
        [
            Attachment(one, blue),
            Attachment(other, red, position=3),
            Attachment(one, green),
            Attachment(one, blue),
            Attachment(other, green),
        ]
    )

    assert [(image.product_id, image.sha256, is_new) for image, is_new in attached] == [
        (one.pk, blue.sha256, True),
        (other.pk, red.sha256, True),
        (one.pk, green.sha256, True),
        (one.pk, blue.sha256, False),
        (other.pk, green.sha256, True),
    ]
    assert [*one.images.values_list("sha256", "position")] == [(red.sha256, 0), (blue.sha256, 1), (green.sha256, 2)]
    assert [*other.images.values_list("sha256", "position")] == [(red.sha256, 3), (green.sha256, 4)]
    assert len(files(media_root)) == 3
    new = [image.pk for image, is_new in attached if is_new]
    assert sent.events == [("images_changed", [first.pk]), ("images_changed", new)]


def test_a_photo_that_leaves_keeps_its_file_until_the_sweep(sent: SentEvents, media_root: Path) -> None:
    product, _ = save_product(MUG)
    image, _ = attach_image(product, photo("blue"))
    thumbnail(str(image.file.name), 96)
    sent.events.clear()
    assert remove_images([image.pk]) == 1
    assert sent.events == [("images_removed", [image.pk])]
    assert sent.all_in_a_transaction
    assert len(files(media_root)) == 2
    assert list(UnusedFile.objects.values_list("name", flat=True)) == [image.file.name]


def test_a_photo_has_the_finding_of_its_picture() -> None:
    product, _ = save_product(MUG)
    image, _ = attach_image(product, photo("blue"))
    image.refresh_from_db()
    assert image.finding == ProductImage.Finding.BLANK
    assert image.get_finding_display() == "one colour only"


def test_a_photo_whose_file_is_missing_is_stored_again_and_embedded(sent: SentEvents, media_root: Path) -> None:
    one, _ = save_product(MUG)
    other, _ = save_product(replace(MUG, sku="mug-2"))
    image, _ = attach_image(one, photo("blue"))
    shared, _ = attach_image(other, photo("blue"))
    (media_root / str(image.file.name)).unlink()
    sent.events.clear()
    again, is_new = attach_image(one, photo("blue"))
    assert (again.pk, is_new) == (image.pk, False)
    assert files(media_root) == [image.file.name]
    assert [(name, sorted(ids)) for name, ids in sent.events] == [("images_changed", [image.pk, shared.pk])]


def test_removing_nothing_sends_no_event(sent: SentEvents) -> None:
    assert remove_images([12345]) == 0
    assert sent.events == []


def test_a_deleted_product_takes_its_photos_along(sent: SentEvents) -> None:
    product, _ = save_product(MUG)
    image, _ = attach_image(product, photo("blue"))
    assert delete_products([product.pk]) == 1
    assert ("images_removed", [image.pk]) in sent.events
    assert not ProductImage.objects.exists()
    assert list(UnusedFile.objects.values_list("name", flat=True)) == [image.file.name]


def test_a_withdrawn_product_keeps_its_photos_and_sends_one_event(sent: SentEvents) -> None:
    product, _ = save_product(MUG)
    attach_image(product, photo("blue"))
    sent.events.clear()
    assert withdraw_products([product.pk]) == 1
    assert withdraw_products([product.pk]) == 0
    product.refresh_from_db()
    assert (product.active, product.images.count()) == (False, 1)
    assert sent.events == [("products_changed", [product.pk])]
