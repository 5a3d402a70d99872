"""The product form: prices, tags and attributes, photos with texts and positions, and chosen files that survive a mistake."""

from __future__ import annotations

import os
import re
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.models import User
from catalog import kept_photos
from catalog.kept_photos import KEPT_FOR
from catalog.models import Category, Product, ProductImage
from jobs import files
from tests.catalog.shop import stock
from tests.catalog.test_admin import change_page, form_of, messages_of, upload
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

SUGGESTIONS = "admin:catalog_suggestions"


@pytest.fixture(autouse=True)
def uploads_root(settings: Any, tmp_path: Path) -> Path:
    """Where the files of this test are kept."""
    settings.UPLOADS_ROOT = tmp_path / "uploads"
    return tmp_path / "uploads"


@pytest.fixture
def admin(client: Client) -> Client:
    """A client signed in as superuser."""
    client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
    return client


def other_user(*permissions: str) -> Client:
    user = User.objects.create_user("other", password="secret", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions, content_type__app_label="catalog"))
    client = Client()
    client.force_login(user)
    return client


def post_with_mistake(client: Client, product: Product, *uploads: SimpleUploadedFile, **more: Any) -> Any:
    return client.post(change_page(product), form_of(product, price="-1", new_photos=list(uploads), **more))


def tokens_of(answer: Any) -> list[str]:
    return re.findall(r'name="new_photos_kept" value="([^"]+)"', answer.content.decode())


class TestFields:
    @pytest.mark.parametrize(
        ("price", "currency", "shown", "step"),
        [
            ("12.5", "EUR", "12.50", "0.01"),
            ("12.345", "EUR", "12.345", "0.01"),
            ("1200", "JPY", "1200", "1"),
            ("4.125", "KWD", "4.125", "0.001"),
        ],
    )
    def test_a_price_has_the_decimals_of_its_currency(
        self, admin: Client, price: str, currency: str, shown: str, step: str
    ) -> None:
        product = stock(photos=0, currency=currency)
        # Also of a product that was saved before prices were rounded.
        Product.objects.filter(pk=product.pk).update(price=price, list_price=price)
        page = admin.get(change_page(product)).content.decode()
        for name in ("price", "list_price"):
            (field,) = re.findall(rf'<input type="number" name="{name}"[^>]*>', page)
            assert f'value="{shown}"' in field
            assert f'step="{step}"' in field

    def test_list_price_and_other_categories_are_saved_and_the_family_code_is_shown(self, admin: Client) -> None:
        product = stock(photos=0, family="F-7")
        stock(category=("Gifts",))
        gifts = Category.objects.get(path="gifts")
        assert "F-7" in admin.get(change_page(product)).content.decode()
        form = form_of(product, list_price="20", other_categories=[gifts.pk], category=product.category_id)
        admin.post(change_page(product), form)
        product.refresh_from_db()
        assert product.list_price == 20
        assert list(product.other_categories.all()) == [gifts]
        assert product.family_code == "F-7"

    def test_tags_and_attributes_keep_commas_quotes_numbers_and_every_script(self, admin: Client) -> None:
        tags = ["a, b", 'a "b"', "Größe", "色"]
        attributes = {"size": 12, "care": 'warm, "gentle"', "色": ["青", "白"], "long": 12345678901234567890}
        product = stock(photos=0, tags=tags, attributes=attributes)
        page = admin.get(change_page(product))
        form = page.context["adminform"].form
        sent = {name: form[name].value() for name in ("tags", "attributes")}
        admin.post(change_page(product), form_of(product, title="Other", **sent))
        product.refresh_from_db()
        assert (product.title, product.tags, product.attributes) == ("Other", tags, attributes)

    def test_a_text_that_is_no_json_is_shown_again_as_it_was_typed(self, admin: Client) -> None:
        product = stock(photos=0)
        answer = admin.post(change_page(product), form_of(product, tags="red, blue", attributes='{"a": '))
        page = answer.content.decode()
        assert re.search(r"<textarea[^>]*>\s*red, blue</textarea>", page)
        assert re.search(r"<textarea[^>]*>\s*{&quot;a&quot;: </textarea>", page)
        assert "data-rows" not in page

    def test_it_is_saved_from_a_popup(self, admin: Client) -> None:
        answer = admin.post(f"{reverse('admin:catalog_product_add')}?_popup=1", form_of(_popup="1"))
        assert "data-popup-response" in answer.content.decode()
        assert Product.objects.filter(sku="LS-1").exists()

    def test_a_photo_has_no_remarks_unless_there_are_some(self, admin: Client) -> None:
        product = stock()
        page = reverse("admin:catalog_product_change", args=[product.pk])
        ProductImage.objects.update(finding="")
        assert "Remarks:" not in admin.get(page).content.decode()
        ProductImage.objects.update(finding=ProductImage.Finding.TINY)
        assert "Remarks:" in admin.get(page).content.decode()

    def test_a_viewer_sees_everything_and_no_field(self) -> None:
        viewer = other_user("view_product")
        product = stock(tags=["summer", "linen"], attributes={"colour": "blue"}, list_price=Decimal(20))
        content = viewer.get(change_page(product)).content.decode()
        page = content[content.index('id="product_form"') :].split("</form>")[0]
        for shown in ("€12.50", "€20.00", "summer, linen", "colour", "blue", "/thumbs/320/"):
            assert shown in page
        fields = re.findall(r'<(?:input|textarea|select)\b[^>]*name="([^"]+)"', page)
        assert [name for name in fields if name != "csrfmiddlewaretoken" and "_FORMS" not in name] == [
            "images-0-id",
            "images-0-product",
        ]


class TestPhotos:
    def test_new_photos_take_their_texts_and_places_among_the_others(self, admin: Client) -> None:
        product = stock(photos=2)
        first, second = product.images.all()
        places = {"images-0-position": 1, "images-1-position": 3}
        form = form_of(
            product,
            **places,
            new_photos=[upload("red.jpg", jpeg("red")), upload("teal.jpg", jpeg("teal"))],
            new_photos_alt=["In red", ""],
            new_photos_position=["0", "2"],
        )
        admin.post(change_page(product), form)
        images = list(product.images.all())
        assert [image.pk for image in images if image.pk in (first.pk, second.pk)] == [first.pk, second.pk]
        assert [images.index(image) for image in (first, second)] == [1, 3]
        assert [image.alt for image in images] == ["In red", "", "", ""]

    def test_a_text_that_is_too_long_is_cut_and_a_place_that_is_none_is_the_end(self, admin: Client) -> None:
        product = stock(photos=1)
        form = form_of(
            product,
            new_photos=[upload("red.jpg", jpeg("red"))],
            new_photos_alt=["x" * 500],
            new_photos_position=["99999999999"],
        )
        admin.post(change_page(product), form)
        assert [(image.position, len(image.alt)) for image in product.images.all()] == [(0, 0), (1, 300)]


class TestMistakes:
    def test_the_chosen_files_are_kept_with_their_texts_and_saved_with_the_next_attempt(self, admin: Client) -> None:
        product = stock(photos=1)
        answer = post_with_mistake(
            admin,
            product,
            upload("red.jpg", jpeg("red")),
            upload("teal.jpg", jpeg("teal")),
            new_photos_alt=["In red", "In <teal>"],
            new_photos_position=["0", "2"],
        )
        page = answer.content.decode()
        assert "The price must not be negative." in page
        assert "red.jpg" in page
        assert 'value="In &lt;teal&gt;"' in page
        assert product.images.count() == 1

        form = form_of(
            product,
            **{"images-0-position": 1},
            new_photos=[upload("blue.jpg", jpeg("blue"))],
            new_photos_alt=[""],
            new_photos_position=["3"],
            new_photos_kept=tokens_of(answer),
            new_photos_kept_alt=["In red", "In teal"],
            new_photos_kept_position=["0", "2"],
        )
        assert "3 photos were added." in messages_of(admin.post(change_page(product), form, follow=True))
        assert [image.alt for image in product.images.all()] == ["In red", "", "In teal", ""]

    def test_the_form_of_a_new_product_keeps_them_too(self, admin: Client) -> None:
        address = reverse("admin:catalog_product_add")
        answer = admin.post(address, form_of(title="", new_photos=[upload("red.jpg", jpeg("red"))]))
        assert len(tokens_of(answer)) == 1
        admin.post(address, form_of(new_photos_kept=tokens_of(answer)))
        assert Product.objects.get(sku="LS-1").images.count() == 1

    def test_they_are_kept_through_a_second_mistake(self, admin: Client) -> None:
        product = stock(photos=0)
        first = tokens_of(post_with_mistake(admin, product, upload("red.jpg", jpeg("red"))))
        second = post_with_mistake(admin, product, upload("teal.jpg", jpeg("teal")), new_photos_kept=first)
        assert len(tokens_of(second)) == 2
        assert tokens_of(second)[0] == first[0]

    def test_their_files_are_deleted_once_they_are_saved(
        self, admin: Client, uploads_root: Path, django_capture_on_commit_callbacks: Any
    ) -> None:
        product = stock(photos=0)
        kept = tokens_of(post_with_mistake(admin, product, upload("red.jpg", jpeg("red"))))
        assert len(list(uploads_root.iterdir())) == 1
        with django_capture_on_commit_callbacks(execute=True):
            admin.post(change_page(product), form_of(product, new_photos_kept=kept))
        assert list(uploads_root.iterdir()) == []

    def test_one_that_is_marked_is_not_added(self, admin: Client) -> None:
        product = stock(photos=0)
        kept = tokens_of(post_with_mistake(admin, product, upload("a.jpg", jpeg("red")), upload("b.jpg", jpeg("teal"))))
        form = form_of(
            product,
            new_photos_kept=kept,
            new_photos_kept_alt=["red", "teal"],
            new_photos_kept_position=["0", "1"],
            new_photos_removed=kept[0],
        )
        admin.post(change_page(product), form)
        assert [image.alt for image in product.images.all()] == ["teal"]

    def test_a_file_that_is_no_photo_is_named_at_once_and_not_kept(self, admin: Client, uploads_root: Path) -> None:
        answer = post_with_mistake(admin, stock(photos=0), upload("manual.pdf", b"%PDF-1.7 and so on"))
        assert any(text.startswith("manual.pdf was not added: the file is PDF") for text in messages_of(answer))
        assert tokens_of(answer) == []
        assert not uploads_root.exists()

    def test_one_that_has_expired_is_named_and_everything_else_stays(self, admin: Client, uploads_root: Path) -> None:
        product = stock(photos=0)
        kept = tokens_of(post_with_mistake(admin, product, upload("a.jpg", jpeg("red")), upload("b.jpg", jpeg("teal"))))
        first = next(path for path in uploads_root.iterdir() if path.read_bytes() == jpeg("red"))
        first.unlink()
        answer = admin.post(change_page(product), form_of(product, title="Typed", new_photos_kept=kept))
        assert "1 photo that was sent before is no longer kept: choose it again." in answer.content.decode()
        assert 'value="Typed"' in answer.content.decode()
        assert tokens_of(answer) == kept[1:]

    @pytest.mark.parametrize("token", ["", "x", "../../etc/passwd", "{other}"])
    def test_nobody_gets_a_photo_by_a_token_that_is_not_theirs(self, admin: Client, token: str) -> None:
        product = stock(photos=0)
        (theirs,) = tokens_of(post_with_mistake(admin, product, upload("red.jpg", jpeg("red"))))
        stranger = other_user("change_product", "view_product")
        answer = stranger.post(
            change_page(product), form_of(product, new_photos_kept=[token.replace("{other}", theirs)])
        )
        assert "no longer kept" in answer.content.decode()
        assert product.images.count() == 0

    def test_its_preview_is_shown_to_its_user_only(self, admin: Client) -> None:
        answer = post_with_mistake(admin, stock(photos=0), upload("red.jpg", jpeg("red", (800, 600))))
        (address,) = re.findall(r'<img src="(/admin/catalog/product/kept-photos/[^"]+)"', answer.content.decode())
        preview = admin.get(address)
        assert (preview.status_code, preview["Content-Type"]) == (200, "image/webp")
        assert other_user("change_product", "view_product").get(address).status_code == 404
        assert Client().get(address).status_code == 302
        assert admin.get(reverse("admin:catalog_kept_photo", args=["nothing"])).status_code == 404

    def test_they_are_kept_for_a_day(self, admin: Client, uploads_root: Path) -> None:
        post_with_mistake(admin, stock(photos=0), upload("old.jpg", jpeg("red")), upload("new.jpg", jpeg("teal")))
        old, new = sorted(uploads_root.iterdir())
        for path, age_s in ((old, KEPT_FOR.total_seconds() + 60), (new, KEPT_FOR.total_seconds() - 60)):
            os.utime(path, (time.time() - age_s, time.time() - age_s))
        files.delete_expired_files()
        assert list(uploads_root.iterdir()) == [new]

    def test_a_user_keeps_a_limited_number(
        self, admin: Client, uploads_root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kept_photos, "MAX_PHOTOS", 2)
        colours = ("red", "teal", "blue", "green")
        post_with_mistake(admin, stock(photos=0), *(upload(f"{colour}.jpg", jpeg(colour)) for colour in colours))
        assert len(list(uploads_root.iterdir())) == 2

    def test_a_disk_that_takes_nothing_costs_the_files_only(
        self, admin: Client, settings: Any, uploads_root: Path
    ) -> None:
        uploads_root.parent.joinpath("file").write_text("")
        settings.UPLOADS_ROOT = uploads_root.parent / "file"
        product = stock(photos=0)
        answer = post_with_mistake(admin, product, upload("red.jpg", jpeg("red")), title="Typed")
        assert "The photos could not be kept. Choose them again." in messages_of(answer)
        assert 'value="Typed"' in answer.content.decode()


class TestSuggestions:
    @pytest.fixture
    def shop(self) -> None:
        """Products with brands, tags and attributes."""
        stock(photos=0, brand="Kiln", tags=["summer", "Sommer"], attributes={"colour": "blue", "size": 12})
        stock(photos=0, brand="Acme", tags=["winter", "summer"], attributes={"colour": "blue", "Größe": "M"})
        stock(photos=0, brand="Ärmel & Co", tags=['5" pot', "midsummer", "über"], attributes={"colour": "black"})

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"source": "tags", "text": "summ"}, ["summer", "midsummer"]),
            ({"source": "tags", "text": "SUMM"}, ["summer", "midsummer"]),
            ({"source": "tags", "text": '5"'}, ['5" pot']),
            ({"source": "tags", "text": "über"}, ["über"]),
            ({"source": "tags", "text": "ÜBER"}, ["über"]),
            ({"source": "tags", "text": "100%_"}, []),
            ({"source": "attribute", "text": ""}, ["colour", "Größe", "size"]),
            ({"source": "attribute", "text": "grö"}, ["Größe"]),
            ({"source": "value", "name": "colour", "text": ""}, ["blue", "black"]),
            ({"source": "value", "name": "colour", "text": "bla"}, ["black"]),
            ({"source": "value", "name": "nothing", "text": ""}, []),
            ({"source": "brand", "text": "ki"}, ["Kiln"]),
            ({"source": "brand", "text": "m"}, ["Acme", "Ärmel & Co"]),
            ({"source": "brand", "text": ""}, ["Acme", "Kiln", "Ärmel & Co"]),
        ],
    )
    def test_known_words_are_offered(self, shop: None, admin: Client, query: dict[str, str], found: list[str]) -> None:
        answer = admin.get(reverse(SUGGESTIONS), query)
        assert sorted(answer.json()["suggestions"]) == sorted(found)
        if query["source"] != "brand":
            assert answer.json()["suggestions"] == found

    def test_only_a_few_are_offered(self, admin: Client) -> None:
        for number in range(3):
            stock(photos=0, tags=[f"tag-{number}-{each}" for each in range(30)])
        assert len(admin.get(reverse(SUGGESTIONS), {"source": "tags"}).json()["suggestions"]) == 20

    def test_an_unknown_source_is_refused(self, admin: Client) -> None:
        assert admin.get(reverse(SUGGESTIONS), {"source": "passwords"}).status_code == 400

    def test_only_those_who_see_products_get_any(self) -> None:
        assert other_user().get(reverse(SUGGESTIONS), {"source": "tags"}).status_code == 403
        assert Client().get(reverse(SUGGESTIONS), {"source": "tags"}).status_code == 302
