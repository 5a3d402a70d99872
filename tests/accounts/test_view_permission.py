"""Staff who may only view: every page of the admin that they may open is there for them."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from accounts.keys import create
from accounts.models import ApiKey, User
from tests.factories import CollectionFactory, ProductImageFactory


@pytest.fixture
def viewer(client: Client) -> Client:
    user = User.objects.create_user("viewer", password="secret", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(user)
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("model", [*admin.site._registry], ids=lambda model: model._meta.label)
def test_lists_and_pages_can_be_viewed(model: type[Model], viewer: Client) -> None:
    create(ApiKey(name="Widget", kind="publishable"))
    ProductImageFactory.create(product=ProductImageFactory.create().product)
    CollectionFactory.create()
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    request_of_list = viewer.get(reverse(f"{name}_changelist"))
    first = model._default_manager.first()

    assert request_of_list.status_code in (200, 302, 403)
    if first is not None:
        assert viewer.get(reverse(f"{name}_change", args=[first.pk])).status_code in (200, 302, 403)
