"""The admin of the catalogue: what it shows and changes, and that the other services are notified of changes."""

from __future__ import annotations

import hashlib
import io
import re
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from accounts.models import User
from catalog.models import Category, Product, ProductImage
from catalog.services import attach_image, save_product
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from pictures import photo_facts
from pictures.photos import validate_photo
from product_files.product_data import ProductData
from tests.catalog.shop import stock
from tests.factories import jpeg

State = ImageEmbedding.State
PRODUCTS = "admin:catalog_product_changelist"

pytestmark = pytest.mark.django_db


@pytest.fixture
def version() -> EncoderVersion:
    """The active version of the collection that covers everything."""
    collection = Collection.objects.get(slug="all")
    assert collection.active_version is not None
    return collection.active_version


@pytest.fixture
def admin(client: Client) -> Client:
    """A client signed in as superuser."""
    client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
    return client


@pytest.fixture
def viewer() -> Client:
    """A client signed in as a user who may only view products."""
    user = User.objects.create_user("viewer", password="secret", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_product", content_type__app_label="catalog"))
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("M-1 M-2 M-9", {"Blue mug", "Red mug"}),
        ("M-1, M-3", {"Blue mug", "Blue bowl"}),
        ("blue mug", {"Blue mug"}),
        ("mug M-1", {"Blue mug"}),
        ("M-1 M-2 mug bowl cup", set()),
    ],
)
def test_the_list_is_searched_by_words_or_by_several_skus(admin: Client, text: str, titles: set[str]) -> None:
    for sku, title in (("M-1", "Blue mug"), ("M-2", "Red mug"), ("M-3", "Blue bowl")):
        Product.objects.create(sku=sku, title=title)

    found = admin.get(reverse(PRODUCTS), {"q": text}).context["cl"].result_list

    assert {product.title for product in found} == titles


def change_page(product: Product) -> str:
    return reverse("admin:catalog_product_change", args=[product.pk])


def upload(name: str, content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="image/jpeg")


def form_of(product: Product | None = None, **changes: Any) -> dict[str, Any]:
    """The form data of the product's page, with these changes."""
    images = list(product.images.all()) if product else []
    form: dict[str, Any] = {
        "title": "Linen shirt", "sku": "LS-1", "slug": "", "description": "", "price": "10.00", "currency": "EUR",
        "available": "on", "active": "on", "category": "", "brand": "", "tags": "[]", "attributes": "{}",
    }  # fmt: skip
    if product:
        form |= {"title": product.title, "sku": product.sku, "price": str(product.price or "")}
        form |= {"images-TOTAL_FORMS": len(images), "images-INITIAL_FORMS": len(images)}
    for number, image in enumerate(images):
        form |= {
            f"images-{number}-id": image.pk,
            f"images-{number}-product": image.product_id,
            f"images-{number}-position": image.position,
            f"images-{number}-alt": image.alt,
        }
    return form | changes


def run_action(client: Client, action: str, *products: Product, **more: str) -> Any:
    data = {"action": action, "_selected_action": [product.pk for product in products], **more}
    return client.post(reverse(PRODUCTS), data, follow=True)


def messages_of(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def state_of(image: ProductImage) -> str:
    return ImageEmbedding.objects.get(image_id=image.pk).state


def settle(state: str = State.INDEXED, **fields: Any) -> None:
    """Set all rows to indexed."""
    ImageEmbedding.objects.update(state=state, vector=b"\0\0" * 256, **fields)


@pytest.mark.parametrize(
    "page",
    [
        "index", "catalog_product_changelist", "catalog_product_add", "catalog_category_changelist", "catalog_category_add",
        "accounts_user_changelist", "accounts_user_add", "auth_group_changelist", "embeddings_collection_changelist",
        "embeddings_encoderversion_changelist", "embeddings_imageembedding_changelist",
    ],
)  # fmt: skip
def test_every_page_answers(admin: Client, page: str) -> None:
    stock(photos=2)
    assert admin.get(reverse(f"admin:{page}")).status_code == 200


def test_every_row_has_a_page(admin: Client, version: EncoderVersion) -> None:
    product = stock(photos=1)
    rows = [product, product.category, version, version.collection, ImageEmbedding.objects.get(), User.objects.get()]
    for row in rows:
        assert row is not None
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
        assert admin.get(address).status_code == 200, address


def test_nobody_gets_in_without_signing_in(client: Client) -> None:
    answer = client.get(reverse(PRODUCTS))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("admin:login"))


def test_whoever_signs_in_arrives_at_the_admin(client: Client) -> None:
    User.objects.create_superuser("admin", "admin@shop.example", "secret")
    answer = client.post(reverse("admin:login"), {"username": "admin", "password": "secret"})
    assert answer["Location"] == reverse("admin:index")


class TestAddingPhotos:
    def test_several_files_become_photos_at_once(self, admin: Client, version: EncoderVersion) -> None:
        contents = [jpeg("red", (40, 30)), jpeg("green", (64, 64)), jpeg("blue", (20, 50))]
        files = [upload(f"{number}.jpg", content) for number, content in enumerate(contents)]
        answer = admin.post(reverse("admin:catalog_product_add"), form_of(new_photos=files), follow=True)
        assert "3 photos were added." in messages_of(answer)
        images = list(Product.objects.get(sku="LS-1").images.all())
        assert [image.sha256 for image in images] == [hashlib.sha256(content).hexdigest() for content in contents]
        assert [(image.width, image.height) for image in images] == [(40, 30), (64, 64), (20, 50)]
        assert [image.position for image in images] == [0, 1, 2]
        rows = ImageEmbedding.objects.filter(version=version, image_id__in=[image.pk for image in images])
        assert [row.state for row in rows] == [State.PENDING] * 3

    def test_new_photos_come_behind_those_that_are_there(self, admin: Client) -> None:
        product = stock(photos=2)
        admin.post(change_page(product), form_of(product, new_photos=[upload("new.jpg", jpeg())]))
        assert [image.position for image in product.images.all()] == [0, 1, 2]

    def test_a_bad_file_is_named_with_its_reason_and_the_good_ones_stay(self, admin: Client) -> None:
        product = stock(photos=0)
        files = [
            upload("front.jpg", jpeg("red")),
            upload("manual.pdf", b"%PDF-1.7 and so on"),
            upload("cut.jpg", jpeg("teal", (200, 200))[:-300]),
            upload("back.jpg", jpeg("blue")),
            upload("<b>.jpg", b""),
        ]
        answer = admin.post(change_page(product), form_of(product, title="Better title", new_photos=files), follow=True)
        shown = messages_of(answer)
        assert "2 photos were added." in shown
        assert "manual.pdf was not added: the file is PDF: save it as JPEG, PNG or WebP." in shown
        assert any(text.startswith("cut.jpg was not added: the picture is truncated") for text in shown)
        assert "&lt;b&gt;.jpg was not added: the file is empty." in answer.content.decode()
        product.refresh_from_db()
        assert (product.title, product.images.count()) == ("Better title", 2)

    def test_after_a_bad_file_one_is_back_on_the_page_to_choose_another(self, admin: Client) -> None:
        product = stock(photos=0)
        form = form_of(product, new_photos=[upload("note.txt", b"hello")])
        assert admin.post(change_page(product), form)["Location"] == change_page(product)

    def test_a_photo_that_is_there_already_is_not_added_twice(self, admin: Client) -> None:
        product = stock(photos=0)
        files = [upload("one.jpg", jpeg()), upload("copy.jpg", jpeg())]
        answer = admin.post(change_page(product), form_of(product, new_photos=files), follow=True)
        assert "copy.jpg is already one of the product's photos." in messages_of(answer)
        assert product.images.count() == 1


class TestProductPage:
    def test_it_shows_each_photo_with_its_state_and_why_it_failed(self, admin: Client, version: EncoderVersion) -> None:
        product = stock(photos=2)
        ok, failed = product.images.all()
        ImageEmbedding.objects.filter(image_id=ok.pk).update(state=State.INDEXED)
        ImageEmbedding.objects.filter(image_id=failed.pk).update(state=State.FAILED, error="the picture is damaged")
        page = admin.get(change_page(product)).content.decode()
        assert f"{version.label}: indexed" in page
        assert f"{version.label}: failed" in page
        assert "the picture is damaged" in page
        assert page.count("/thumbs/320/") == 2

    def test_it_previews_similar_products_of_a_saved_active_product(self, admin: Client) -> None:
        product, inactive = stock(), stock(active=False)
        page = admin.get(change_page(product)).content.decode()
        assert f'<similar-products id="similar" product-id="{product.pk}" limit="8"' in page
        assert '<script type="module" src="/widget/v1/similar.js">' in page
        assert "<similar-products" not in admin.get(change_page(inactive)).content.decode()
        assert "<similar-products" not in admin.get(reverse("admin:catalog_product_add")).content.decode()

    def test_it_takes_as_many_queries_for_eight_photos_as_for_one(self, admin: Client) -> None:
        one, eight = stock(photos=1), stock(photos=8)
        admin.get(change_page(one))  # warm-up: fills caches of the process
        with CaptureQueriesContext(connection) as few:
            admin.get(change_page(one))
        with CaptureQueriesContext(connection) as many:
            admin.get(change_page(eight))
        assert len(many) == len(few)

    def test_a_price_change_patches_the_index_and_encodes_nothing(self, admin: Client) -> None:
        product = stock()
        settle()
        admin.post(change_page(product), form_of(product, price="99.00"))
        assert state_of(product.images.get()) == State.OUTDATED

    def test_saving_it_unchanged_makes_no_work(self, admin: Client) -> None:
        product = stock(category=())
        settle()
        admin.post(change_page(product), form_of(product, slug=product.slug))
        assert state_of(product.images.get()) == State.INDEXED

    def test_photos_are_reordered_described_and_removed(self, admin: Client) -> None:
        product = stock(photos=3)
        first, second, third = product.images.all()
        changes = {"images-0-position": 5, "images-1-alt": "From behind", "images-2-DELETE": "on"}
        admin.post(change_page(product), form_of(product, **changes))
        assert [image.pk for image in product.images.all()] == [second.pk, first.pk]
        second.refresh_from_db()
        assert second.alt == "From behind"
        assert state_of(third) == State.REMOVED

    def test_tags_and_attributes_may_be_emptied(self, admin: Client) -> None:
        product = stock(tags=["summer"], attributes={"colour": "blue"})
        admin.post(change_page(product), form_of(product, tags="", attributes=""))
        product.refresh_from_db()
        assert (product.tags, product.attributes) == ([], {})


class TestProductList:
    def test_it_takes_as_many_queries_for_twenty_products_as_for_one(self, admin: Client) -> None:
        stock("First", category=("A",), photos=2)
        admin.get(reverse(PRODUCTS))  # warm-up: fills caches of the process
        with CaptureQueriesContext(connection) as one:
            admin.get(reverse(PRODUCTS))
        for number in range(19):
            stock(f"Product {number}", category=("B", f"C{number}"), photos=2)
        with CaptureQueriesContext(connection) as twenty:
            page = admin.get(reverse(PRODUCTS)).content.decode()
        assert page.count("2 wait") == 20
        assert len(twenty) == len(one)

    def test_it_sums_up_the_states_of_a_products_photos(self, admin: Client) -> None:
        product = stock(photos=3)
        ImageEmbedding.objects.filter(image_id=product.images.all()[0].pk).update(state=State.FAILED)
        ImageEmbedding.objects.filter(image_id=product.images.all()[1].pk).update(state=State.INDEXED)
        stock("Bare", photos=0)
        page = admin.get(reverse(PRODUCTS)).content.decode()
        for text in ("1 failed", "1 waits", "1 indexed", "no photo"):
            assert text in page

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"q": "linen"}, {"Linen shirt"}),
            ({"q": "LS-7"}, {"Linen shirt"}),
            ({"q": "acme"}, {"Oak chair"}),
            ({"category": "clothing"}, {"Linen shirt"}),
            ({"category": "furniture/chairs"}, {"Oak chair"}),
            ({"category": "office"}, {"Oak chair"}),
            ({"brand": "Acme"}, {"Oak chair"}),
            ({"brand": "note"}, {"Linen shirt"}),
            ({"price_from": "20"}, {"Oak chair"}),
            ({"price_to": "19.99"}, {"Linen shirt"}),
            ({"price_from": "12.50", "price_to": "99"}, {"Linen shirt", "Oak chair"}),
            ({"price_from": "cheap"}, {"Linen shirt", "Oak chair", "Bare mug"}),
            ({"photos": "yes"}, {"Linen shirt", "Oak chair"}),
            ({"photos": "no"}, {"Bare mug"}),
            ({"available__exact": "0"}, {"Oak chair"}),
            ({"active__exact": "0"}, {"Bare mug"}),
            ({"embedding": "failed"}, {"Oak chair"}),
            ({"embedding": "waiting"}, {"Linen shirt"}),
            ({"embedding": "no_photo"}, {"Bare mug"}),
            ({"embedding": "missing"}, set()),
            ({"embedding": "indexed"}, set()),
        ],
    )
    def test_it_finds_by_words_category_brand_price_stock_photos_and_state(
        self, admin: Client, query: dict[str, str], found: set[str]
    ) -> None:
        stock("Linen shirt", sku="LS-7", category=("Clothing", "Shirts"), brand="Fieldnote")
        furniture = {"category": ("Furniture", "Chairs"), "other_categories": [("Office", "Seats")]}
        chair = stock("Oak chair", brand="Acme", available=False, price="99", **furniture)
        stock("Bare mug", photos=0, active=False, price=None)
        ImageEmbedding.objects.filter(image_id=chair.images.get().pk).update(state=State.FAILED)
        answer = admin.get(reverse(PRODUCTS), query)
        assert {product.title for product in answer.context["cl"].result_list} == found

    def test_it_finds_by_price_in_one_currency(self, admin: Client) -> None:
        stock("Linen shirt", photos=0)
        stock("Wool shirt", photos=0)
        stock("Swiss shirt", photos=0, currency="CHF")
        for query, found in (
            ({"price_from": "10"}, {"Linen shirt", "Wool shirt"}),
            ({"price_to": "99", "price_currency": "chf"}, {"Swiss shirt"}),
            ({"price_currency": "CHF"}, {"Swiss shirt"}),
        ):
            answer = admin.get(reverse(PRODUCTS), query)
            assert {product.title for product in answer.context["cl"].result_list} == found
        assert 'placeholder="EUR"' in answer.content.decode()


class TestActions:
    def test_withdrawing_takes_products_out_and_says_how_many(self, admin: Client) -> None:
        products = [stock(), stock(), stock(active=False)]
        settle()
        shown = messages_of(run_action(admin, "withdraw", *products))
        assert shown == ["2 products were withdrawn.", "1 product was already inactive."]
        assert not Product.objects.filter(active=True).exists()
        assert state_of(products[0].images.get()) == State.OUTDATED

    def test_embedding_again_forgets_the_vectors_failed_ones_too(self, admin: Client) -> None:
        one, other, untouched = stock(photos=2), stock(), stock()
        settle(State.FAILED, error="the picture is damaged", attempts=5)
        assert messages_of(run_action(admin, "embed_again", one, other)) == ["3 photos will be embedded again."]
        again = ImageEmbedding.objects.filter(state=State.PENDING, vector=None, error="", attempts=0)
        assert again.count() == 3
        assert state_of(untouched.images.get()) == State.FAILED

    def test_embedding_again_finds_photos_that_no_collection_knew(self, admin: Client) -> None:
        product = stock()
        ImageEmbedding.objects.all().delete()
        run_action(admin, "embed_again", product)
        assert state_of(product.images.get()) == State.PENDING

    def test_reindexing_keeps_the_vectors(self, admin: Client) -> None:
        product = stock(photos=2)
        settle()
        shown = messages_of(run_action(admin, "reindex", product))
        assert shown == ["2 photos will be written to the index again."]
        assert ImageEmbedding.objects.filter(state=State.EMBEDDED, vector__isnull=False).count() == 2

    def test_an_action_on_products_without_photos_says_so(self, admin: Client) -> None:
        assert messages_of(run_action(admin, "reindex", stock(photos=0))) == ["The selected products have no photos."]

    def test_the_delete_action_leaves_the_points_to_remove(self, admin: Client) -> None:
        one, other, kept = stock(photos=2), stock(), stock()
        answer = run_action(admin, "delete_selected", one, other, post="yes")
        assert messages_of(answer) == ["Successfully deleted 2 products."]
        assert list(Product.objects.all()) == [kept]
        assert ImageEmbedding.objects.filter(state=State.REMOVED).count() == 3

    def test_the_delete_page_leaves_the_points_to_remove(self, admin: Client) -> None:
        product = stock(photos=2)
        admin.post(reverse("admin:catalog_product_delete", args=[product.pk]), {"post": "yes"})
        assert not ProductImage.objects.exists()
        assert ImageEmbedding.objects.filter(state=State.REMOVED).count() == 2


class TestPermissions:
    def test_a_viewer_sees_products_and_their_photos(self, viewer: Client) -> None:
        product = stock()
        assert viewer.get(reverse(PRODUCTS)).status_code == 200
        page = viewer.get(change_page(product))
        assert page.status_code == 200
        assert "new_photos" not in page.content.decode()
        assert "/thumbs/320/" in page.content.decode()

    @pytest.mark.parametrize("action", ["withdraw", "embed_again", "reindex", "delete_selected"])
    def test_a_viewer_has_no_actions(self, viewer: Client, action: str) -> None:
        product = stock()
        settle()
        run_action(viewer, action, product, post="yes")
        assert Product.objects.get(pk=product.pk).active
        assert state_of(product.images.get()) == State.INDEXED

    def test_a_viewer_changes_nothing(self, viewer: Client) -> None:
        product = stock()
        form = form_of(product, title="Mine", new_photos=[upload("new.jpg", jpeg())])
        assert viewer.post(change_page(product), form).status_code == 403
        product.refresh_from_db()
        assert (product.title, product.images.count()) == ("Blue mug", 1)

    def test_a_form_from_elsewhere_is_refused(self) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
        product = stock()
        assert strict.post(change_page(product), form_of(product)).status_code == 403

    @pytest.mark.parametrize("model", ["collection", "encoderversion", "imageembedding"])
    def test_derived_rows_are_not_made_or_deleted_by_hand(self, admin: Client, model: str) -> None:
        stock()
        row = {"collection": Collection, "encoderversion": EncoderVersion, "imageembedding": ImageEmbedding}[model]
        # A collection is the shop's own choice; what follows from it is not.
        assert admin.get(reverse(f"admin:embeddings_{model}_add")).status_code == (200 if row is Collection else 403)
        pk = row._default_manager.values_list("pk", flat=True)[0]
        assert admin.post(reverse(f"admin:embeddings_{model}_delete", args=[pk]), {"post": "yes"}).status_code == 403


class TestCategories:
    def test_renaming_a_category_moves_everything_below_it(self, admin: Client) -> None:
        product = stock(category=("Home", "Mugs"))
        settle()
        home = Category.objects.get(path="home")
        address = reverse("admin:catalog_category_change", args=[home.pk])
        admin.post(address, {"name": "Kitchen", "slug": "kitchen", "parent": ""})
        assert set(Category.objects.values_list("path", flat=True)) == {"kitchen", "kitchen/mugs"}
        assert state_of(product.images.get()) == State.OUTDATED

    def test_the_slug_follows_from_the_name(self, admin: Client) -> None:
        admin.post(reverse("admin:catalog_category_add"), {"name": "Summer Hats", "slug": "", "parent": ""})
        assert Category.objects.get().path == "summer-hats"

    def test_a_path_is_given_once(self, admin: Client) -> None:
        stock(category=("Home",))
        answer = admin.post(reverse("admin:catalog_category_add"), {"name": "Home", "slug": "", "parent": ""})
        assert answer.status_code == 200
        assert "A category with the path home already exists." in answer.content.decode()

    def test_a_category_cannot_be_below_itself(self, admin: Client) -> None:
        stock(category=("Home", "Mugs"))
        home, mugs = Category.objects.order_by("path")
        address = reverse("admin:catalog_category_change", args=[home.pk])
        answer = admin.post(address, {"name": "Home", "slug": "home", "parent": mugs.pk})
        assert "A category cannot be below itself." in answer.content.decode()

    @pytest.mark.parametrize("by", ["page", "action"])
    def test_what_keeps_a_category_from_being_deleted_is_said_in_a_line(self, admin: Client, by: str) -> None:
        for _ in range(3):
            stock("Blue mug", photos=0, category=("Home & Garden", "Mugs"))
        stock("Hat", photos=0, category=("Home & Garden",))
        home = Category.objects.get(path="home-garden")
        if by == "page":
            page = admin.get(reverse("admin:catalog_category_delete", args=[home.pk]))
        else:
            chosen = {"action": "delete_selected", "_selected_action": [home.pk]}
            page = admin.post(reverse("admin:catalog_category_changelist"), chosen)

        shown = page.content.decode()
        assert "Products in home-garden: 1. Move them to another category first." in shown
        assert "Categories below home-garden: 1. Move or delete them first." in shown
        assert "Blue mug" not in shown
        (products,) = re.findall(r'href="([^"]+)">Products in', shown)
        assert "Blue mug" in admin.get(unescape(products)).content.decode()

    def test_an_empty_category_is_deleted(self, admin: Client) -> None:
        product = stock(category=("Home", "Mugs"))
        Product.objects.filter(pk=product.pk).update(category=None)
        mugs = Category.objects.get(path="home/mugs")

        admin.post(reverse("admin:catalog_category_delete", args=[mugs.pk]), {"post": "yes"})

        assert not Category.objects.filter(pk=mugs.pk).exists()


@pytest.mark.parametrize(
    ("model", "beside"),
    [("catalog_product", "catalog_category"), ("embeddings_rankerversion", "embeddings_collection")],
)
def test_lists_that_belong_together_have_tabs(admin: Client, model: str, beside: str) -> None:
    page = admin.get(reverse(f"admin:{model}_changelist")).content.decode()
    tabs = page[page.index('id="tabs-items"') :]
    assert f'href="{reverse(f"admin:{beside}_changelist")}"' in tabs


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Delete product"), ("de", "Produkt löschen"), ("ja", "商品を削除")]
)
def test_the_button_that_deletes_is_worded_as_the_language_has_it(admin: Client, language: str, words: str) -> None:
    address = reverse("admin:catalog_product_change", args=[stock(photos=0).pk])
    page = admin.get(address, headers={"Accept-Language": language}).content.decode()
    assert words in page


class TestImageEmbeddings:
    def test_a_failed_photo_shows_its_reason_and_leads_to_its_product(self, admin: Client) -> None:
        product = stock()
        settle(State.FAILED, error="the picture is damaged")
        row = ImageEmbedding.objects.get()
        page = admin.get(reverse("admin:embeddings_imageembedding_change", args=[row.pk])).content.decode()
        assert "the picture is damaged" in page
        assert change_page(product) in page

    def test_a_failed_photo_shows_its_reason_in_the_language_of_the_reader(self, admin: Client) -> None:
        stock()
        row = ImageEmbedding.objects.get()
        ImageEmbedding.objects.mark_failed(photo_facts.FILE_TOO_LARGE(limit=20_000_000))
        for page in ("changelist", "change"):
            address = reverse(f"admin:embeddings_imageembedding_{page}", args=[row.pk] if page == "change" else None)
            shown = admin.get(address, headers={"Accept-Language": "de"}).content.decode()
            assert "die Datei ist größer als 20.000.000 Bytes" in shown
            assert "the file is larger" not in shown

    @pytest.mark.parametrize("text", ["sku-x", "damaged"])
    def test_they_are_found_by_sku_and_by_words_of_the_error(self, admin: Client, text: str) -> None:
        image = stock(sku="SKU-X").images.get()
        stock()
        ImageEmbedding.objects.filter(image_id=image.pk).update(state=State.FAILED, error="the picture is damaged")
        answer = admin.get(reverse("admin:embeddings_imageembedding_changelist"), {"q": text})
        assert [row.image_id for row in answer.context["cl"].result_list] == [image.pk]

    def test_they_are_found_by_the_days_on_which_they_changed(self, admin: Client) -> None:
        old, new = stock().images.get(), stock().images.get()
        long_ago = datetime(2020, 3, 1, 23, tzinfo=UTC)
        ImageEmbedding.objects.filter(image_id=old.pk).update(changed_at=long_ago)
        until_then = {"changed_at_to": "2020-03-01"}
        answer = admin.get(reverse("admin:embeddings_imageembedding_changelist"), until_then)
        assert [row.image_id for row in answer.context["cl"].result_list] == [old.pk]
        since_then = {"changed_at_from": "2020-03-02"}
        answer = admin.get(reverse("admin:embeddings_imageembedding_changelist"), since_then)
        assert [row.image_id for row in answer.context["cl"].result_list] == [new.pk]

    def test_the_list_takes_as_many_queries_for_twenty_photos_as_for_one(self, admin: Client) -> None:
        address = reverse("admin:embeddings_imageembedding_changelist")
        stock(photos=1)
        admin.get(address)  # warm-up: fills caches of the process
        with CaptureQueriesContext(connection) as few:
            admin.get(address)
        for _ in range(10):
            stock(photos=2)
        with CaptureQueriesContext(connection) as many:
            admin.get(address)
        assert len(many) == len(few)

    def test_a_row_whose_photo_is_gone_is_still_shown(self, admin: Client) -> None:
        product = stock()
        number = product.images.get().pk
        admin.post(reverse("admin:catalog_product_delete", args=[product.pk]), {"post": "yes"})
        page = admin.get(reverse("admin:embeddings_imageembedding_changelist"), {"state__exact": "removed"})
        assert f"photo {number}, deleted" in page.content.decode()


def test_photos_that_show_nothing_or_that_products_share_are_marked_and_found(admin: Client, media_root: Path) -> None:
    products = {sku: save_product(ProductData(sku, sku))[0] for sku in ("white", "pixel", "usual", "twin", "lost")}
    pictures = {
        "white": Image.new("RGB", (80, 60), "white"), "pixel": Image.new("RGB", (1, 1)), "usual": Image.linear_gradient("L"),
        "twin": Image.linear_gradient("L"), "lost": Image.radial_gradient("L"),
    }  # fmt: skip
    for sku, picture in pictures.items():
        file = io.BytesIO()
        picture.save(file, "PNG")
        attach_image(products[sku], validate_photo(file.getvalue()))
    ProductImage.objects.filter(product=products["lost"]).update(file_missing=True)
    for sku, remark in {
        "white": "one colour only",
        "pixel": "too small",
        "usual": "in 2 products",
        "lost": "file missing",
    }.items():
        assert remark in admin.get(change_page(products[sku])).content.decode()
    found = {
        choice: {product.sku for product in admin.get(reverse(PRODUCTS), {"photos": choice}).context["cl"].result_list}
        for choice in ("blank", "tiny", "shared", "file_missing")
    }
    assert found == {"blank": {"white"}, "tiny": {"pixel"}, "shared": {"usual", "twin"}, "file_missing": {"lost"}}
