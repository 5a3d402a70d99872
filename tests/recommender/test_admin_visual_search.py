"""Search by photo in the back office: who may open it, and the attributes of the widget."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from accounts.models import User
from embeddings.models import Collection
from tests.factories import CollectionFactory, EncoderVersionFactory
from tests.recommender.conftest import Shop

URL = "/admin/visual-search/"

pytestmark = pytest.mark.django_db


def staff(*permissions: str) -> Client:
    """Somebody who may do these things, and no more."""
    user = User.objects.create_user("staff", password="secret", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def page_of(client: Client) -> str:
    answer: Any = client.get(URL)
    assert answer.status_code == 200
    page: str = answer.content.decode()
    return page


def test_whoever_may_see_products_may_search_them(shop: Shop) -> None:
    assert "<visual-search " in page_of(staff("view_product"))


@pytest.mark.parametrize("permissions", [(), ("view_job", "view_encoderversion")])
def test_nobody_else_may(shop: Shop, permissions: tuple[str, ...]) -> None:
    client = staff(*permissions)
    assert client.get(URL).status_code == 403
    assert URL not in client.get(reverse("admin:index")).content.decode()


def test_strangers_are_asked_to_sign_in(client: Client) -> None:
    assert client.get(URL)["Location"] == f"{reverse('admin:login')}?next={URL}"


def test_the_page_is_only_read(shop: Shop) -> None:
    assert staff("view_product").post(URL).status_code == 405


def test_the_sidebar_leads_there(shop: Shop) -> None:
    assert f'href="{URL}"' in staff("view_product").get(reverse("admin:index")).content.decode()


def test_the_widget_comes_from_the_admins_own_host_and_counts_no_visitor(shop: Shop) -> None:
    page = page_of(staff("view_product"))
    assert '<script type="module" src="/widget/v1/similar.js"></script>' in page
    assert '<visual-search no-events limit="12" collection="all"' in page


def test_the_collections_that_can_be_searched_are_offered(shop: Shop) -> None:
    ready = EncoderVersionFactory.create(collection=CollectionFactory.create(slug="food", name="Food <b>"))
    Collection.objects.filter(pk=ready.collection_id).update(active_version=ready)
    CollectionFactory.create(slug="later", name="Later")
    page = page_of(staff("view_product"))
    assert '<option value="all" selected>All products</option>' in page
    assert '<option value="food">Food &lt;b&gt;</option>' in page
    assert "Later" not in page


def test_without_the_collection_of_everything_the_first_is_searched(shop: Shop) -> None:
    Collection.objects.filter(slug="all").update(slug="shoes")
    assert '<visual-search no-events limit="12" collection="shoes"' in page_of(staff("view_product"))


def test_with_nothing_to_search_the_page_says_so(shop: Shop) -> None:
    Collection.objects.update(active_version=None)
    page = page_of(staff("view_product"))
    assert "there is nothing to search yet" in page
    assert "<visual-search" not in page


def test_the_script_is_a_file_of_its_own(shop: Shop) -> None:
    assert finders.find("recommender/admin/visual-search.js")
    assert 'src="/static/recommender/admin/visual-search.js"' in page_of(staff("view_product"))
