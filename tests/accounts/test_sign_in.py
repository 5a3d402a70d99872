"""Signing in to the admin: a user is locked for an address after too many failed attempts."""

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


def test_a_locked_user_is_refused_even_with_the_right_password(client: Client) -> None:
    assert guess(client, 3) == [200, 200, 429]
    refused = client.post(ADDRESS, RIGHT)
    assert refused.status_code == 429
    assert "Too many attempts" in refused.content.decode()


def test_other_addresses_and_other_users_are_not_locked(client: Client) -> None:
    guess(client, 3)
    assert client.post(ADDRESS, RIGHT, REMOTE_ADDR="192.0.2.7").status_code == 302
    User.objects.create_superuser("second", password="password")
    assert client.post(ADDRESS, {**RIGHT, "username": "second"}).status_code == 302


def test_an_address_that_tries_many_users_is_locked_for_all_of_them(client: Client, settings: Any) -> None:
    settings.LOGIN_ADDRESS_FAILURES = 5
    for number in range(5):
        client.post(ADDRESS, {**WRONG, "username": f"user-{number}"}, REMOTE_ADDR="192.0.2.7")
    assert client.post(ADDRESS, RIGHT, REMOTE_ADDR="192.0.2.7").status_code == 429
    assert client.post(ADDRESS, RIGHT, REMOTE_ADDR="192.0.2.8").status_code == 302


@pytest.mark.parametrize(
    "addresses",
    [
        # Behind a Unix socket no client has an address.
        ("", "", ""),
        # One IPv6 network.
        ("2001:db8::1", "2001:db8::2", "2001:db8::3"),
    ],
)
def test_unknown_addresses_and_one_ipv6_network_count_as_one_client(client: Client, addresses: tuple[str, ...]) -> None:
    assert [guess(client, 1, REMOTE_ADDR=address) for address in addresses] == [[200], [200], [429]]


def test_another_browser_or_spelling_of_the_name_does_not_evade_the_lock(client: Client) -> None:
    for attempt, name in enumerate(("admin", " admin ", "\N{FULLWIDTH LATIN SMALL LETTER A}dmin")):
        answer = client.post(ADDRESS, {**WRONG, "username": name}, headers={"User-Agent": f"browser {attempt}"})
    assert answer.status_code == 429


def test_the_log_contains_the_address_but_not_the_name(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.post(ADDRESS, {"username": "typed-in-the-wrong-field", "password": "guess"}, REMOTE_ADDR="192.0.2.7")
    assert "192.0.2.7" in caplog.text
    assert "typed-in-the-wrong-field" not in caplog.text


def test_a_successful_sign_in_resets_the_failures(client: Client) -> None:
    guess(client, 2)
    assert client.post(ADDRESS, RIGHT).status_code == 302
    assert guess(client, 2) == [200, 200]


def test_a_command_unlocks(client: Client) -> None:
    guess(client, 3)
    call_command("axes_reset")
    assert client.post(ADDRESS, RIGHT).status_code == 302


def test_no_password_is_stored(client: Client) -> None:
    guess(client, 3)
    assert "guess" not in str(list(AccessAttempt.objects.values()))
