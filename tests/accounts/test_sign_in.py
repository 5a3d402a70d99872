"""Signing in to the admin: whoever guesses passwords is made to wait, and nobody else is."""

from __future__ import annotations

from typing import Any

import pytest
from axes.models import AccessAttempt
from django.core.management import call_command
from django.test import Client

from accounts.models import User

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


@pytest.mark.parametrize(
    "addresses",
    [
        # Behind a socket of its own machine nobody has an address.
        ("", "", ""),
        # One household of IPv6.
        ("2001:db8::1", "2001:db8::2", "2001:db8::3"),
    ],
)
def test_who_guesses_waits_wherever_he_seems_to_be(client: Client, addresses: tuple[str, ...]) -> None:
    assert [guess(client, 1, REMOTE_ADDR=address) for address in addresses] == [[200], [200], [429]]


def test_another_browser_or_way_to_write_the_name_is_no_new_try(client: Client) -> None:
    for attempt, name in enumerate(("admin", " admin ", "\N{FULLWIDTH LATIN SMALL LETTER A}dmin")):
        answer = client.post(ADDRESS, {**WRONG, "username": name}, headers={"User-Agent": f"browser {attempt}"})
    assert answer.status_code == 429


def test_the_log_says_from_where_and_not_who(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.post(ADDRESS, {"username": "typed-in-the-wrong-field", "password": "guess"}, REMOTE_ADDR="192.0.2.7")
    assert "192.0.2.7" in caplog.text
    assert "typed-in-the-wrong-field" not in caplog.text


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
