"""API keys: permissions by kind and scope, origins, rate limits, expiry and revocation."""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import caches
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts import keys, throttling
from accounts.models import ApiKey, User
from lookalike.logging import RedactingStreamHandler
from recommender.models import Event
from tests.factories import ProductFactory, jpeg
from tests.recommender.answers import problem
from tests.recommender.conftest import Shop

pytestmark = pytest.mark.django_db

NO_JOB = "8f9d0f1c-3d1e-4f0e-9f43-3c1a6b0c8f11"
EVENTS = {"events": [{"type": "purchase", "product": 1}]}


@pytest.fixture
def reads_by_keys(settings: Any) -> None:
    settings.API_READS = "keys"


@pytest.fixture
def writes_by_keys(settings: Any) -> None:
    settings.API_WRITES = "keys"


def make(**fields: Any) -> str:
    """The text of a new key, publishable by default."""
    return keys.create(ApiKey(**{"name": "a key", **fields})).text


def secret(**fields: Any) -> str:
    return make(kind=ApiKey.Kind.SECRET, **fields)


def photo() -> SimpleUploadedFile:
    return SimpleUploadedFile("photo.jpg", jpeg())


def slug_of(body: dict[str, Any]) -> str:
    return str(body["type"].rpartition(":")[2])


class TestReading:
    def test_needs_no_key_with_open_reads(self, api: Client) -> None:
        assert api.get("/api/products").status_code == 200

    @pytest.mark.usefixtures("reads_by_keys")
    def test_needs_a_key_with_reads_by_keys(self, shop: Shop, api: Client) -> None:
        product = shop.add((1, 0, 0))
        key = {"X-API-Key": make()}
        for address in ("/api/products", f"/api/products/{product.pk}", f"/api/products/{product.pk}/similar"):
            refused = api.get(address)
            assert slug_of(problem(refused, 401)) == "key-required"
            assert refused["WWW-Authenticate"].startswith("Bearer")
            assert api.get(address, headers=key).status_code == 200
        problem(api.post("/api/collections/all/search", {"photo": photo()}), 401)
        assert api.post("/api/collections/all/search", {"photo": photo()}, headers=key).status_code == 200

    @pytest.mark.usefixtures("reads_by_keys")
    @pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
    def test_accepts_either_header_and_either_kind(self, api: Client, header: str) -> None:
        for key in (make(), secret()):
            value = f"Bearer {key}" if header == "Authorization" else key
            assert api.get("/api/products", headers={header: value}).status_code == 200

    @pytest.mark.usefixtures("reads_by_keys")
    def test_a_preflight_needs_no_key(self, api: Client) -> None:
        asked = api.options("/api/products", headers={"Origin": "https://shop.example"})
        assert (asked.status_code, asked["Access-Control-Allow-Origin"]) == (204, "*")
        assert {"X-API-Key", "Authorization"} <= set(asked["Access-Control-Allow-Headers"].split(", "))

    def test_basic_authentication_of_a_proxy_is_not_a_key(self, api: Client) -> None:
        assert api.get("/api/products", headers={"Authorization": "Basic dXNlcjpwYXNz"}).status_code == 200


class TestOrigins:
    @pytest.fixture
    def key(self) -> str:
        return make(origins="https://shop.example\nhttps://www.shop.example")

    def test_a_page_of_an_allowed_origin_may_read_the_response(self, api: Client, key: str) -> None:
        headers = {"X-API-Key": key, "Origin": "https://www.shop.example"}
        response = api.get("/api/products", headers=headers)
        assert response.status_code == 200
        assert response["Access-Control-Allow-Origin"] == "https://www.shop.example"
        assert "Origin" in response["Vary"]

    def test_a_page_of_the_same_origin_is_identified_by_its_referrer(self, api: Client, key: str) -> None:
        headers = {"X-API-Key": key, "Referer": "https://shop.example/products/5"}
        response = api.get("/api/products", headers=headers)
        assert response.status_code == 200
        # "null" would be the origin of any page in a sandbox.
        assert "Access-Control-Allow-Origin" not in response
        assert "Origin" in response["Vary"]

    @pytest.mark.parametrize(
        "page",
        [
            {},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://shop.example"},
            {"Origin": "https://shop.example.evil.example"},
            {"Origin": "null", "Referer": "https://shop.example/"},
            {"Origin": "https://shop.example:8443"},
            {"Origin": "https://["},
            {"Referer": "https://["},
            {"Referer": "https://evil.example/?https://shop.example"},
            {"Referer": "https://shop.example@evil.example/"},
        ],
    )
    def test_a_page_of_another_origin_is_refused_and_may_read_why(
        self, api: Client, key: str, page: dict[str, str]
    ) -> None:
        response = api.get("/api/products", headers={"X-API-Key": key, **page})
        assert slug_of(problem(response, 403)) == "origin-refused"
        assert response["Access-Control-Allow-Origin"] == "*"

    def test_a_key_without_origins_is_valid_on_any_page(self, api: Client) -> None:
        headers = {"X-API-Key": make(), "Origin": "https://anywhere.example"}
        assert api.get("/api/products", headers=headers)["Access-Control-Allow-Origin"] == "*"


@pytest.mark.usefixtures("writes_by_keys")
class TestWriting:
    @pytest.mark.parametrize(
        ("method", "address"),
        [
            ("post", "/api/imports"),
            ("post", "/api/collections/all/train"),
            ("post", "/api/collections/all/train-ranker"),
            ("post", f"/api/jobs/{NO_JOB}/import"),
            ("get", f"/api/jobs/{NO_JOB}/rejected"),
            ("head", f"/api/jobs/{NO_JOB}/rejected"),
            ("get", "/api/jobs"),
            ("get", f"/api/jobs/{NO_JOB}"),
            ("delete", f"/api/jobs/{NO_JOB}"),
        ],
    )
    def test_needs_a_secret_key_with_the_scope(self, api: Client, method: str, address: str) -> None:
        call = getattr(api, method)
        assert call(address).status_code == 401
        for key in (make(), secret()):
            assert call(address, headers={"X-API-Key": key}).status_code == 403
        assert call(address, headers={"X-API-Key": secret(may_import=True, may_train=True)}).status_code not in (
            401,
            403,
        )

    def test_a_scope_does_not_include_the_other(self, api: Client) -> None:
        importer, trainer = secret(may_import=True), secret(may_train=True)
        assert problem(api.post("/api/imports", headers={"X-API-Key": trainer}), 403)["detail"].count("import") > 0
        problem(api.post("/api/collections/all/train", headers={"X-API-Key": importer}), 403)

    def test_cancelling_a_job_needs_the_scope_of_its_kind(self, api: Client, tmp_path: Any, settings: Any) -> None:
        settings.UPLOADS_ROOT = tmp_path
        settings.CELERY_BROKER_URL = "memory://"
        importer, trainer = ({"X-API-Key": secret(may_import=True)}, {"X-API-Key": secret(may_train=True)})
        table = b"sku,title\n1,Mug\n"
        sent = api.post("/api/imports", table, content_type="text/csv", headers=importer)
        assert sent.status_code == 202
        assert slug_of(problem(api.delete(sent["Location"], headers=trainer), 403)) == "scope-missing"
        assert api.get(sent["Location"], headers=trainer).status_code == 200
        assert api.delete(sent["Location"], headers=importer).json()["state"] == "cancelled"

    def test_an_invalid_key_is_refused_even_with_open_writes(self, api: Client, settings: Any) -> None:
        settings.API_WRITES = "open"
        assert api.get(f"/api/jobs/{uuid4()}").status_code == 404
        problem(api.get(f"/api/jobs/{uuid4()}", headers={"X-API-Key": "sk_nothing"}), 401)


class TestInvalidKeys:
    def test_are_refused_even_with_open_reads(self, api: Client) -> None:
        for key in ("sk_" + "x" * 43, "é" * 5, "x" * 5000):
            response = api.get("/api/products", headers={"X-API-Key": key})
            assert slug_of(problem(response, 401)) == "key-rejected"
            assert key not in response.content.decode()

    def test_revoked_and_expired_keys_are_refused(self, api: Client, admin_user: User) -> None:
        text = make()
        headers = {"X-API-Key": text}
        assert api.get("/api/products", headers=headers).status_code == 200
        keys.revoke(ApiKey.objects.get())
        assert "was revoked" in problem(api.get("/api/products", headers=headers), 401)["detail"]

        old = {"X-API-Key": make(expires_at=timezone.now() - timedelta(seconds=1))}
        assert "expired on" in problem(api.get("/api/products", headers=old), 401)["detail"]

    def test_a_valid_secret_key_in_a_url_is_refused(self, api: Client) -> None:
        for address in ("/api/products", "/api/events"):
            for query in (f"api_key={secret()}", f"api_key={secret()}&api_key={make()}", f"%61pi_key=%20{secret()}"):
                assert "revoke it" in problem(api.get(f"{address}?{query}"), 401)["detail"]

    def test_no_log_line_contains_a_key(self, api: Client) -> None:
        text = secret()
        [console] = [each for each in logging.getLogger().handlers if isinstance(each, RedactingStreamHandler)]
        before = console.setStream(StringIO())
        try:
            api.get(f"/api/products?api_key={text}")
            api.get("/api/products", headers={"Authorization": f"Bearer {text}"})
            api.get(f"/api/{text}", headers={"X-API-Key": text})
            api.get(f"/api/%20{text}")
            logging.getLogger("catalog").error("it failed", exc_info=ValueError(f"\n{text}"))
        finally:
            output = console.setStream(before).getvalue()
        assert all(
            expected in output
            for expected in ("Unauthorized: /api/products", "/api/sk_\N{HORIZONTAL ELLIPSIS}", "it failed")
        )
        assert text not in output

    def test_the_database_does_not_contain_the_key(self) -> None:
        text = secret()
        row = ApiKey.objects.values().get()
        assert all(text not in str(value) for value in row.values())
        assert text.startswith(row["prefix"])


class TestLastUse:
    def test_is_stored_once_a_day(self, api: Client) -> None:
        headers = {"X-API-Key": make()}
        yesterday = timezone.now().replace(hour=23, minute=59) - timedelta(days=1)
        ApiKey.objects.update(last_used_at=yesterday)
        for _ in range(2):
            caches["api_keys"].clear()
            assert api.get("/api/products", headers=headers).status_code == 200
        used = ApiKey.objects.get().last_used_at
        assert used is not None
        assert used.date() == timezone.now().date()

    @pytest.mark.django_db(transaction=True)
    def test_a_read_does_not_wait_for_a_writer(self, api: Client) -> None:
        headers = {"X-API-Key": make()}
        writes = "BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "LOCK TABLE catalog_product IN EXCLUSIVE MODE"
        with closing(connection.copy()) as importing, importing.cursor() as cursor:
            importing.set_autocommit(connection.vendor == "sqlite")
            cursor.execute(writes)
            assert api.get("/api/products", headers=headers).status_code == 200
            cursor.execute("ROLLBACK")

        caches["api_keys"].clear()
        assert api.get("/api/products", headers=headers).status_code == 200
        assert ApiKey.objects.get().last_used_at is not None

    @pytest.mark.django_db(transaction=True)
    def test_a_read_only_database_does_not_fail_the_request(self, api: Client) -> None:
        headers = {"X-API-Key": make()}
        switch = "PRAGMA query_only = {}" if connection.vendor == "sqlite" else "SET default_transaction_read_only = {}"
        with connection.cursor() as cursor:
            cursor.execute(switch.format("on"))
            try:
                assert api.get("/api/products", headers=headers).status_code == 200
            finally:
                cursor.execute(switch.format("off"))
        assert ApiKey.objects.get().last_used_at is None


@pytest.mark.usefixtures("reads_by_keys")
def test_only_events_accept_a_publishable_key_in_the_url(api: Client) -> None:
    problem(api.post("/api/events", EVENTS, content_type="application/json"), 401)
    events = {"events": [{"type": "purchase", "product": ProductFactory.create().pk}]}
    sent = api.post(f"/api/events?api_key={make()}", events, content_type="application/json")
    assert (sent.status_code, Event.objects.count()) == (202, 1)
    # Nothing else takes it there.
    problem(api.get(f"/api/products?api_key={make()}"), 401)


class TestRateLimits:
    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
        """A clock that stands still, so that no window ends within a test."""
        clock = SimpleNamespace(now=1_000_000.0)
        clock.time = lambda: clock.now
        monkeypatch.setattr(throttling, "time", clock)
        return clock

    def test_an_address_above_the_limit_gets_429(self, api: Client, settings: Any) -> None:
        settings.API_REQUESTS_PER_MINUTE = 3
        assert [api.get("/api/products").status_code for _ in range(3)] == [200] * 3
        refused = api.get("/api/products")
        assert slug_of(problem(refused, 429)) == "rate-exceeded"
        assert 1 <= int(refused["Retry-After"]) <= throttling.WINDOW_S
        assert refused["Access-Control-Allow-Origin"] == "*"
        assert api.get("/api/products", REMOTE_ADDR="192.0.2.7").status_code == 200

    def test_a_response_says_what_is_left(self, api: Client, settings: Any, clock: SimpleNamespace) -> None:
        settings.API_REQUESTS_PER_MINUTE, settings.KEY_REQUESTS_PER_MINUTE = 15, 20
        clock.now = 999_979.6  # 40.4 s before the next minute
        page = {"X-API-Key": make(), "Origin": "https://shop.example"}

        first, second = (api.get("/api/products/1", headers=page) for _ in range(2))

        assert first["RateLimit-Policy"] == '"address";q=15;w=60, "key";q=20;w=60'
        assert first["RateLimit"] == '"address";r=14;t=41, "key";r=19;t=41'
        assert second["RateLimit"] == '"address";r=13;t=41, "key";r=18;t=41'
        assert {"RateLimit", "RateLimit-Policy"} <= set(first["Access-Control-Expose-Headers"].split(", "))
        search = api.post("/api/collections/all/search")
        assert (search.status_code, search["RateLimit"]) == (400, '"address";r=3;t=41')
        refused = api.post("/api/collections/all/search")
        assert (refused.status_code, refused["RateLimit"], refused["Retry-After"]) == (429, '"address";r=0;t=41', "41")
        settings.API_REQUESTS_PER_MINUTE = 0
        assert "RateLimit" not in api.get("/api/products")

    def test_retry_after_is_when_the_window_ends(self, api: Client, settings: Any, clock: SimpleNamespace) -> None:
        settings.API_REQUESTS_PER_MINUTE = 1
        clock.now = 1_000_019.6
        assert api.get("/api/products").status_code == 200
        refused = api.get("/api/products")
        assert refused.status_code == 429
        clock.now += int(refused["Retry-After"])
        assert api.get("/api/products").status_code == 200

    def test_many_clients_do_not_evict_the_count_of_one(self, api: Client, settings: Any) -> None:
        settings.API_REQUESTS_PER_MINUTE = 1
        assert [api.get("/api/products").status_code for _ in range(2)] == [200, 429]
        for visitor in range(1000):
            throttling.count_requests(f"from:visitor-{visitor}", 1, 1_000_000.0)
        assert api.get("/api/products").status_code == 429

    def test_a_photo_search_costs_ten_requests(self, shop: Shop, api: Client, settings: Any) -> None:
        settings.API_REQUESTS_PER_MINUTE = 15
        search = [api.post("/api/collections/all/search", {"photo": photo()}).status_code for _ in range(2)]
        assert search == [200, 429]

    def test_a_publishable_key_is_limited_by_address_and_a_secret_key_is_not(self, api: Client, settings: Any) -> None:
        settings.API_REQUESTS_PER_MINUTE = 2
        page, server = {"X-API-Key": make()}, {"X-API-Key": secret()}
        assert [api.get("/api/products", headers=page).status_code for _ in range(3)] == [200, 200, 429]
        assert api.get("/api/products", headers=page, REMOTE_ADDR="192.0.2.7").status_code == 200
        assert {api.get("/api/products", headers=server).status_code for _ in range(5)} == {200}

    def test_a_visitor_above_the_limit_does_not_use_up_the_limit_of_the_key(self, api: Client, settings: Any) -> None:
        settings.API_REQUESTS_PER_MINUTE, settings.KEY_REQUESTS_PER_MINUTE = 2, 5
        page = {"X-API-Key": make()}
        assert [api.get("/api/products", headers=page).status_code for _ in range(9)][-1] == 429
        assert api.get("/api/products", headers=page, REMOTE_ADDR="192.0.2.7").status_code == 200

    def test_a_key_can_have_its_own_limit(self, api: Client, settings: Any) -> None:
        settings.KEY_REQUESTS_PER_MINUTE = 100
        headers = {"X-API-Key": secret(requests_per_minute=2)}
        assert [api.get("/api/products", headers=headers).status_code for _ in range(3)] == [200, 200, 429]
        assert api.get("/api/products", headers={"X-API-Key": secret()}).status_code == 200

    def test_trying_invalid_keys_is_limited(self, api: Client, settings: Any) -> None:
        settings.API_REQUESTS_PER_MINUTE = 2
        tried = [api.get("/api/products", headers={"X-API-Key": f"sk_{n}"}).status_code for n in range(3)]
        assert tried == [401, 401, 429]

    @pytest.mark.usefixtures("reads_by_keys")
    def test_requests_without_permission_count_too(self, api: Client, settings: Any) -> None:
        settings.API_REQUESTS_PER_MINUTE = 2
        assert [api.get("/api/products").status_code for _ in range(3)] == [401, 401, 429]

    @pytest.mark.usefixtures("reads_by_keys")
    def test_a_preflight_does_not_count(self, api: Client, settings: Any) -> None:
        settings.API_REQUESTS_PER_MINUTE = 1
        assert {api.options("/api/products").status_code for _ in range(3)} == {204}

    def test_counts_in_the_process_while_redis_is_unavailable(self, api: Client, settings: Any) -> None:
        # Nobody listens on this port.
        redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
        settings.CACHES = {**settings.CACHES, "default": redis}
        settings.API_REQUESTS_PER_MINUTE = 2
        assert [api.get("/api/products").status_code for _ in range(3)] == [200, 200, 429]

    @pytest.mark.parametrize(
        ("proxies", "forwarded", "first", "second"),
        [
            # Without a proxy the header is anybody's to write.
            (0, ("192.0.2.1", "192.0.2.2"), 200, 429),
            (1, ("192.0.2.1", "192.0.2.2"), 200, 200),
            # What the proxy wrote is last; what stands before it, the client sent.
            (1, ("10.0.0.1, 192.0.2.1", "10.0.0.2, 192.0.2.1"), 200, 429),
            (2, ("192.0.2.1, 10.0.0.9", "192.0.2.2, 10.0.0.9"), 200, 200),
            (1, ("2001:db8::1", "2001:db8::2"), 200, 429),
            (1, ("2001:db8:0:1::1", "2001:db8:0:2::1"), 200, 200),
        ],
    )
    def test_behind_proxies_the_limit_is_per_visitor(
        self, api: Client, settings: Any, proxies: int, forwarded: tuple[str, str], first: int, second: int
    ) -> None:
        settings.API_REQUESTS_PER_MINUTE = 1
        settings.TRUSTED_PROXIES = proxies
        answers = [api.get("/api/products", headers={"X-Forwarded-For": each}).status_code for each in forwarded]
        assert answers == [first, second]


class TestCommand:
    def test_creates_lists_and_revokes(self, api: Client, settings: Any) -> None:
        settings.API_READS = "keys"
        text = self.run("create", "Shop pages", "--origin", "https://shop.example").strip()
        headers = {"X-API-Key": text, "Origin": "https://shop.example"}
        assert api.get("/api/products", headers=headers).status_code == 200
        listed = self.run("list")
        assert "Shop pages" in listed
        assert text not in listed
        self.run("revoke", listed.split("…")[0])
        problem(api.get("/api/products", headers=headers), 401)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["create", "x", "--secret", "--origin", "https://shop.example"], "not used in pages"),
            (["create", "x", "--origin", "shop.example/path"], "is not an origin"),
            (["create", "x", "--origin", "https://shop.example:443"], "leave it out"),
            (["create", "x", "--origin", "http://[::1]:80"], "leave it out"),
            (["create", "x", "--days", "999999999"], "more than 36,500"),
            (["create", "x", "--may", "train"], "--may needs --secret"),
            (["revoke", "sk_nothing"], "no valid keys have the prefix"),
        ],
    )
    def test_reports_an_invalid_argument(self, arguments: list[str], said: str) -> None:
        with pytest.raises(CommandError, match=said):
            self.run(*arguments)
        assert ApiKey.objects.count() == 0

    def test_says_that_there_are_no_keys(self) -> None:
        errors = StringIO()
        call_command("api_key", "list", stdout=StringIO(), stderr=errors)

        assert "manage.py api_key create" in errors.getvalue()

    def run(self, *arguments: str) -> str:
        out = StringIO()
        call_command("api_key", *arguments, stdout=out, stderr=StringIO())
        return out.getvalue()


class TestAdmin:
    FORM = {"name": "Shop pages", "kind": "publishable", "origins": "https://shop.example"}

    def test_shows_a_new_key_once(self, admin_client: Client, api: Client) -> None:
        page = admin_client.post("/admin/accounts/apikey/add/", self.FORM, follow=True).content.decode()
        text = page.partition("<code>")[2].partition("</code>")[0]
        assert (
            api.get("/api/products", headers={"X-API-Key": text, "Origin": "https://shop.example"}).status_code == 200
        )
        again = admin_client.get(f"/admin/accounts/apikey/{ApiKey.objects.get().pk}/change/").content.decode()
        assert text not in again
        assert ApiKey.objects.get().created_by is not None

    def test_reports_an_invalid_field_and_creates_no_key(self, admin_client: Client) -> None:
        page = admin_client.post("/admin/accounts/apikey/add/", {**self.FORM, "origins": "shop.example"})
        assert "is not an origin" in page.content.decode()
        assert ApiKey.objects.count() == 0

    @pytest.mark.parametrize("scope", ["may_import", "may_train"])
    def test_gives_a_key_of_pages_no_more_than_to_read(self, admin_client: Client, scope: str) -> None:
        page = admin_client.post("/admin/accounts/apikey/add/", {**self.FORM, scope: "on"})
        assert "Publishable keys are read-only" in page.content.decode()
        assert ApiKey.objects.count() == 0

    def test_revokes(self, admin_client: Client, api: Client) -> None:
        headers = {"X-API-Key": make()}
        key = ApiKey.objects.get()
        admin_client.post("/admin/accounts/apikey/", {"action": "revoke_keys", "_selected_action": [key.pk]})
        problem(api.get("/api/products", headers=headers), 401)
        assert "revoked" in admin_client.get("/admin/accounts/apikey/").content.decode()

    def test_a_change_of_a_key_is_effective_at_once(self, admin_client: Client, api: Client) -> None:
        headers = {"X-API-Key": make(), "Origin": "https://other.example"}
        assert api.get("/api/products", headers=headers).status_code == 200
        address = f"/admin/accounts/apikey/{ApiKey.objects.get().pk}/change/"
        admin_client.post(address, {"name": "x", "origins": "https://shop.example"})
        problem(api.get("/api/products", headers=headers), 403)
