"""Signing in to the admin: whoever guesses passwords is made to wait, and nobody else is."""

from __future__ import annotations

from typing import Any

import pytest
from axes.models import AccessAttempt
from django.core.management import call_command
from django.test import Client

from catalog.models import User

pytestmark = pytest.mark.django_db
ADDRESS = "/admin/login/"
RIGHT = {"username": "admin", "password": "password"}
WRONG = {**RIGHT, "password": "guess"}


@pytest.fixture(autouse=True)
def three_tries(settings: Any, admin_user: User) -> None:
    settings.AXES_FAILURE_LIMIT = 3


def guess(client: Client, times: int, **request: Any) -> list[int]:
    return [client.post(ADDRESS, WRONG, **request).status_code for _ in range(times)]


def test_who_guesses_waits_even_with_the_right_password_then(client: Client) -> None:
    assert guess(client, 3) == [200, 200, 429]
    refused = client.post(ADDRESS, RIGHT)
    assert refused.status_code == 429
    assert "Too many attempts" in refused.content.decode()


def test_another_address_may_sign_in_and_another_user_too(client: Client) -> None:
    guess(client, 3)
    assert client.post(ADDRESS, RIGHT, REMOTE_ADDR="192.0.2.7").status_code == 302
    User.objects.create_superuser("second", password="password")
    assert client.post(ADDRESS, {**RIGHT, "username": "second"}).status_code == 302


def test_signing_in_forgets_the_mistakes(client: Client) -> None:
    guess(client, 2)
    assert client.post(ADDRESS, RIGHT).status_code == 302
    assert guess(client, 2) == [200, 200]


def test_is_let_in_again_by_a_command(client: Client) -> None:
    guess(client, 3)
    call_command("axes_reset")
    assert client.post(ADDRESS, RIGHT).status_code == 302


def test_no_password_is_kept(client: Client) -> None:
    guess(client, 3)
    assert "guess" not in str(list(AccessAttempt.objects.values()))
