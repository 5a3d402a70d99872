"""Users and groups in the admin: permissions are chosen in a box that is searched, and kept."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

pytestmark = pytest.mark.django_db


def test_a_group_gets_the_permissions_that_are_chosen(admin_client: Client) -> None:
    page = admin_client.get("/admin/auth/group/add/").content.decode()
    assert "unfold-admin-autocomplete" in page
    assert "select2.init.js" in page
    chosen = list(Permission.objects.filter(codename__in=("view_product", "change_product")))
    admin_client.post("/admin/auth/group/add/", {"name": "Buyers", "permissions": [each.pk for each in chosen]})
    group = Group.objects.get(name="Buyers")
    assert set(group.permissions.all()) == set(chosen)
    page = admin_client.get(f"/admin/auth/group/{group.pk}/change/").content.decode()
    assert page.count("selected>") == 2


def test_a_permission_that_there_is_not_is_refused(admin_client: Client) -> None:
    admin_client.post("/admin/auth/group/add/", {"name": "Buyers", "permissions": [999_999]})
    assert not Group.objects.exists()
