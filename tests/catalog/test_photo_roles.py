"""Roles of photos: what is found, what a person chooses, and what follows for the index."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image

from accounts.models import User
from catalog.models import Product, ProductImage
from catalog.photo_roles import Sharer, choose_roles, find_waiting_roles, role_of_shared
from catalog.services import Attachment, attach_images, delete_products, remove_images, save_product
from pictures.photos import validate_photo
from product_files.product_data import ProductData
from tests.drawings import drawing

pytestmark = pytest.mark.django_db

Role = ProductImage.Role
CHART = drawing("combs", 1)


@pytest.fixture
def admin(client: Client) -> Client:
    """A client signed in as superuser."""
    client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
    return client


def saved_anew(content: bytes, quality: int) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(content)).save(file, "JPEG", quality=quality)
    return file.getvalue()


def product(sku: str, *photos: bytes, category: str = "Tops", **fields: Any) -> Product:
    """A product with these photos."""
    saved, _ = save_product(ProductData(sku, fields.pop("title", sku), category=(category,), **fields))
    attach_images(Attachment(saved, validate_photo(photo)) for photo in photos)
    return saved


def roles(saved: Product) -> list[str]:
    return [*saved.images.values_list("role", flat=True)]


def garment(number: int) -> bytes:
    return drawing("crates", number)


@pytest.mark.parametrize("quality", [None, 75, 95])
def test_a_picture_behind_the_main_photos_of_two_products_is_a_chart(quality: int | None) -> None:
    first = product("A", garment(1), CHART)
    assert roles(first) == [Role.PRODUCT, Role.PRODUCT]

    second = product("B", garment(2), CHART if quality is None else saved_anew(CHART, quality))

    assert roles(first) == roles(second) == [Role.PRODUCT, Role.CHART]


def test_a_known_chart_is_one_in_a_new_product_too_even_saved_badly() -> None:
    for number in range(2):
        product(f"A{number}", garment(number), CHART)

    assert roles(product("B", saved_anew(CHART, 60), garment(7))) == [Role.CHART, Role.PRODUCT]


def test_another_picture_of_the_same_hash_is_no_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    first = product("A", garment(1), CHART)
    other = product("B", garment(2), drawing("balls", 3))
    ProductImage.objects.filter(product=other, position=1).update(
        perceptual_hash=first.images.get(position=1).perceptual_hash, role_source=""
    )

    assert find_waiting_roles() == 0
    assert roles(other) == [Role.PRODUCT, Role.PRODUCT]


def test_variants_may_share_their_photos() -> None:
    family = [product(f"A{number}", garment(number), CHART, family="A") for number in range(3)]

    assert [roles(each) for each in family] == [[Role.PRODUCT, Role.PRODUCT]] * 3


def test_one_thing_that_is_listed_several_times_keeps_its_photos() -> None:
    copies = [product(f"A{number}", garment(1), CHART, title=f"Mug size {number}") for number in range(6)]

    assert [roles(each) for each in copies] == [[Role.PRODUCT, Role.PRODUCT]] * 6


@pytest.mark.parametrize(
    ("products", "role"),
    [
        ([("Oslo", "Sofas"), ("Rio", "Lamps"), ("Lima", "Mugs")], Role.PLACEHOLDER),
        ([("Oslo suit", "Jackets"), ("Oslo waistcoat", "Waistcoats")], Role.PRODUCT),
        ([(title, "Chairs") for title in ("Oslo", "Rio", "Lima", "Bonn", "Bern")], Role.PLACEHOLDER),
        ([(f"Chair {number}", "Chairs") for number in range(9)], Role.PRODUCT),
    ],
)
def test_the_only_photo_of_products_that_are_unlike_each_other_is_a_placeholder(
    products: list[tuple[str, str]], role: str
) -> None:
    shop = [product(title, CHART, category=category) for title, category in products]

    assert {tuple(roles(each)) for each in shop} == {(role,)}


def test_the_main_photo_of_one_product_in_sets_of_others_stays_its_photo() -> None:
    def sharers(main: int, behind: int) -> list[Sharer]:
        return [
            Sharer(number, is_main=number < main, main_photo=str(number), department="home", title="Cup of the set")
            for number in range(main + behind)
        ]

    assert role_of_shared(sharers(1, 2)) is Role.PRODUCT
    assert role_of_shared(sharers(1, 9)) is Role.CHART


@pytest.mark.parametrize(("size", "role"), [((64, 64), Role.PLACEHOLDER), ((4, 4), Role.IGNORED)])
def test_a_picture_of_nothing_is_compared_with_nothing(size: tuple[int, int], role: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", size, "silver").save(file, "PNG")

    assert roles(product("A", file.getvalue())) == [role]


@pytest.mark.parametrize(
    "leave",
    [
        lambda other: delete_products([other.pk]),
        lambda other: remove_images([other.images.get(position=1).pk]),
        lambda _: save_product(ProductData("B", "B", family="A")),
    ],
    ids=["deleted", "photo_removed", "became_a_variant"],
)
def test_a_chart_that_only_one_family_is_left_with_is_its_photo_again(leave: Callable[[Product], object]) -> None:
    first = product("A", garment(1), CHART, family="A")
    other = product("B", garment(2), CHART)
    assert roles(first) == [Role.PRODUCT, Role.CHART]

    leave(other)
    find_waiting_roles()

    assert roles(first) == [Role.PRODUCT, Role.PRODUCT]


class TestAChoice:
    def test_holds_for_all_products_with_the_picture_and_for_those_that_come(self) -> None:
        first = product("A", garment(1), CHART)
        second = product("B", garment(2), saved_anew(CHART, 95))
        chart = first.images.get(position=1)

        assert choose_roles({chart.pk: Role.DETAIL}) == 2
        third = product("C", garment(3), CHART)

        assert [roles(each)[1] for each in (first, second, third)] == [Role.DETAIL] * 3

    def test_stays_when_roles_are_found_again_and_can_be_taken_back(self) -> None:
        first = product("A", garment(1), CHART)
        chart = first.images.get(position=1)
        choose_roles({chart.pk: Role.IGNORED})
        second = product("B", garment(2), CHART)
        assert roles(first)[1] == roles(second)[1] == Role.IGNORED

        assert choose_roles({chart.pk: ""}) == 2

        assert roles(first)[1] == roles(second)[1] == Role.CHART

    def test_is_made_on_the_page_of_the_product(self, admin: Client) -> None:
        first, second = product("A", garment(1), CHART), product("B", garment(2), CHART)
        page = reverse("admin:catalog_product_change", args=[first.pk])
        form = admin.get(page).context["inline_admin_formsets"][0].formset
        data = {
            "title": "A",
            "sku": "A",
            "slug": "a",
            "currency": "EUR",
            "tags": "[]",
            "attributes": "{}",
            "active": "on",
        }
        data |= {f"{form.prefix}-TOTAL_FORMS": "2", f"{form.prefix}-INITIAL_FORMS": "2"}
        for number, image in enumerate(first.images.all()):
            prefix = f"{form.prefix}-{number}"
            data |= {f"{prefix}-id": str(image.pk), f"{prefix}-product": str(first.pk)}
            data |= {f"{prefix}-position": str(number), f"{prefix}-chosen_role": "" if number == 0 else "product"}

        answer = admin.post(page, data, follow=True)

        assert "2 photos have another role now." in answer.content.decode()
        assert roles(first) == roles(second) == [Role.PRODUCT, Role.PRODUCT]

    def test_shows_in_the_list_of_products(self, admin: Client) -> None:
        product("A", garment(1), CHART), product("B", garment(2), CHART), product("C", garment(3))

        found = admin.get(reverse("admin:catalog_product_changelist"), {"photos": "chart"}).context["cl"].result_list

        assert {each.sku for each in found} == {"A", "B"}
