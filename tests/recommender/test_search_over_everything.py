"""The admin's search over everything: what it finds, for whom, and how much."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts import keys
from accounts.models import ApiKey, User
from catalog.importers.submission import IMPORT
from catalog.models import Category, Product
from embeddings.models import Collection, EncoderVersion
from embeddings.text_indexing import process_texts
from jobs.models import Job
from recommender.admin.everything import LIMIT
from recommender.rules.services import save_rule, save_set
from tests.catalog.shop import stock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_index")]

SEARCH = "admin:search"


def client_of(*permissions: str, superuser: bool = False) -> Client:
    user = User.objects.create_user("staff", password="secret", is_staff=True, is_superuser=superuser)
    for each in permissions:
        app, codename = each.split(".")
        user.user_permissions.add(Permission.objects.get(codename=codename, content_type__app_label=app))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner() -> Client:
    """A client signed in as superuser."""
    return client_of(superuser=True)


def found(client: Client, text: str) -> dict[str, str]:
    """The addresses of what is found, by title."""
    page = client.get(reverse(SEARCH), {"q": text})
    assert page.status_code == 200
    links = re.findall(r'<a href="([^"]+)"><span class="title">([^<]*)</span>', page.content.decode())
    return {unescape(title): url for url, title in links}


def change(model: str, row: object) -> str:
    return reverse(f"admin:{model}_change", args=[row])


@pytest.mark.parametrize("is_indexed", [True, False])
def test_a_product_is_found_by_words_sku_and_barcode_also_without_an_index(owner: Client, is_indexed: bool) -> None:
    mug = stock("Blue mug", photos=0, sku="MUG/17", attributes={"gtin": "4006381333931"})
    stock("Straw hat", photos=0)
    if is_indexed:
        process_texts()
    page = change("catalog_product", mug.pk)

    for text in ("mug blue", "MUG/17", "blue mu"):
        assert found(owner, text) == {"Blue mug": page}, text
    assert found(owner, "4006381333931") == ({"Blue mug": page} if is_indexed else {})


def test_a_withdrawn_product_is_found_and_called_so(owner: Client) -> None:
    mug = stock("Mug of last year", photos=0)
    Product.objects.filter(pk=mug.pk).update(active=False)

    assert found(owner, "last mug") == {"Mug of last year": change("catalog_product", mug.pk)}
    assert f"{mug.sku} · withdrawn" in owner.get(reverse(SEARCH), {"q": "last mug"}).content.decode()


def test_rows_of_the_other_lists_are_found_by_what_people_call_them(owner: Client) -> None:
    stock("Blue mug", photos=0, brand="Harbour")
    category = Category.objects.create(name="Teapots", slug="teapots", path="teapots")
    collection = Collection.objects.get(slug="all")
    version = EncoderVersion.objects.get(collection=collection)
    job = Job.objects.create(kind=IMPORT, parameters={"file": "spring.csv", "dry_run": False})
    rule = save_rule(
        save_set({"name": "trial"}), {"kind": "hide", "parameters": {"brand": ["Harbour"]}, "note": "Fair"}
    )
    key = keys.create(ApiKey(name="Shop pages")).row

    assert found(owner, "teap")["Teapots"] == change("catalog_category", category.pk)
    assert found(owner, collection.name)[collection.name] == change("embeddings_collection", collection.pk)
    assert found(owner, version.label)[version.label] == change("embeddings_encoderversion", version.pk)
    assert found(owner, "spring.csv") == {"Import of spring.csv": change("jobs_job", job.pk)}
    assert found(owner, "import")["Import of spring.csv"] == change("jobs_job", job.pk)
    assert found(owner, "fair") == {"Hide": change("recommender_rule", rule.pk)}
    assert found(owner, "trial") == {"trial": change("recommender_ruleset", rule.rule_set_id)}
    assert found(owner, "shop pages") == {"Shop pages": change("accounts_apikey", key.pk)}
    assert found(owner, "staff")["staff"].startswith("/admin/accounts/user/")


def test_pages_are_found_by_words_of_their_title_in_the_language_of_the_admin(owner: Client) -> None:
    assert found(owner, "products import") == {"Import products": reverse("admin:catalog_product_import_catalogue")}
    assert found(owner, "embed")["Embed in my pages"] == reverse("admin:embed")
    page = owner.get(reverse(SEARCH), {"q": "produkte"}, headers={"accept-language": "de"}).content.decode()
    assert f'<a href="{reverse("admin:catalog_product_changelist")}"><span class="title">Produkte</span>' in page


def test_only_what_the_user_may_see_is_found() -> None:
    stock("Blue mug", photos=0, category=("Shop", "Shop"))
    keys.create(ApiKey(name="Shop pages"))
    Job.objects.create(kind=IMPORT, parameters={"file": "shop.csv"})
    client = client_of("catalog.view_category")

    assert {*found(client, "shop")} == {"Shop"}
    assert found(client, "api") == {}
    assert found(client, "mug") == {}


def test_it_asks_for_a_member_of_staff() -> None:
    assert Client().get(reverse(SEARCH), {"q": "mug"}).status_code == 302


def test_of_each_kind_some_are_shown(owner: Client) -> None:
    for number in range(LIMIT + 2):
        stock(f"Mug {number}", photos=0, category=(f"Mugs {number}",))
    assert sum(title.startswith("Mug ") for title in found(owner, "mug")) == LIMIT
    assert sum(title.startswith("Mugs ") for title in found(owner, "mug")) == LIMIT


@pytest.mark.parametrize("text", ["", "   ", "\0", "x" * 5000, "%_'\"<b>", "\\"])
def test_any_text_may_be_typed(owner: Client, text: str) -> None:
    assert found(owner, text) == {}
