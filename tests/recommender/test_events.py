"""POST /api/events: what visitors did is stored whole or not at all, and nothing of who they are."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey
from catalog.models import Product
from lookalike.celery import app
from recommender import events, tasks
from recommender.models import Event, EventQuery
from tests.factories import CategoryFactory, ProductFactory
from tests.recommender.answers import problem

URL = "/api/events"
IMPRESSION = {"type": "impression", "product": 12, "results": [3, 4, 5], "collection": "all", "encoder": "all-v1"}
CLICK = {"type": "click", "product": 12, "result": 4, "position": 2, "collection": "all", "encoder": "all-v1"}
ADD_TO_CART = {"type": "add_to_cart", "product": 4}
PURCHASE = {"type": "purchase", "product": 4, "quantity": 3}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_broker(settings: Any) -> None:
    settings.CELERY_BROKER_URL = ""


@pytest.fixture(autouse=True)
def products(db: None) -> None:
    category = CategoryFactory.create()
    Product.objects.bulk_create(ProductFactory.build(pk=each, category=category) for each in (1, 3, 4, 5, 12))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT setval(pg_get_serial_sequence('catalog_product', 'id'), 100)")


def send(api: Client, *sent: Any, content_type: str = "text/plain;charset=UTF-8", **headers: str) -> Any:
    return send_body(api, json.dumps({"events": sent}), content_type, **headers)


def send_body(api: Client, body: str | bytes, content_type: str = "application/json", **headers: str) -> Any:
    return api.post(URL, body, content_type=content_type, headers=headers)


def errors_of(response: Any) -> dict[str, str]:
    assert not Event.objects.exists()
    body = problem(response, 400)
    assert body["type"] == "urn:problem-type:lookalike:invalid-parameters"
    return {error["parameter"]: error["detail"] for error in body["errors"]}


def stored_days_ago(days: float, **fields: Any) -> Event:
    return Event.objects.create(
        **{"type": "purchase", "product_id": 1, **fields}, created_at=timezone.now() - timedelta(days)
    )


class TestStored:
    @pytest.mark.parametrize("content_type", ["text/plain;charset=UTF-8", "text/plain", "application/json"])
    def test_events_are_stored_each_as_one_row(self, api, content_type):
        answer = send(api, IMPRESSION, CLICK, ADD_TO_CART, PURCHASE, content_type=content_type)
        assert (answer.status_code, answer.json()) == (202, {"accepted": 4, "dropped": 0, "unknown": []})
        impression, click, added, bought = Event.objects.order_by("pk")
        assert (impression.type, impression.product_id, impression.results) == ("impression", 12, [3, 4, 5])
        assert (impression.collection, impression.encoder) == ("all", "all-v1")
        assert (click.type, click.product_id, click.result_id, click.position) == ("click", 12, 4, 2)
        assert (added.type, added.product_id, added.quantity) == ("add_to_cart", 4, None)
        assert (bought.type, bought.product_id, bought.quantity) == ("purchase", 4, 3)

    def test_products_may_be_named_by_their_skus(self, api, django_assert_num_queries):
        mug, cup, jug = (ProductFactory(sku=sku, active=False).pk for sku in ("M/1", "ü", "17"))
        shown = {"collection": "all", "encoder": "all-v1"}
        send(api, ADD_TO_CART)
        Event.objects.all().delete()
        with django_assert_num_queries(2):
            answer = send(
                api,
                {"type": "impression", "sku": "M/1", "result_skus": ["ü", "17"], **shown},
                {"type": "click", "product": mug, "result_sku": "17", "position": 2, **shown},
                {"type": "impression", "result_skus": [], **shown},
                {"type": "purchase", "sku": "ü", "quantity": 2},
            )
        assert answer.json()["accepted"] == 4
        impression, click, without, bought = Event.objects.order_by("pk")
        assert (impression.product_id, impression.results) == (mug, [cup, jug])
        assert (click.product_id, click.result_id) == (mug, jug)
        assert (without.product_id, without.results, bought.product_id) == (None, [], cup)

    def test_one_statement_stores_a_hundred_events(self, api):
        stored_days_ago(0)
        send(api, ADD_TO_CART)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert send(api, *[IMPRESSION] * 100).json()["accepted"] == 100
        assert [query["sql"].split()[0] for query in queries] == ["SELECT", "INSERT"]

    def test_a_search_by_photo_has_no_product(self, api):
        without = {name: value for name, value in IMPRESSION.items() if name != "product"}
        assert send(api, without, {**CLICK, "product": None}).json()["accepted"] == 2
        assert set(Event.objects.values_list("product_id", flat=True)) == {None}

    def test_a_product_that_is_gone_loses_its_own_events_and_no_others(self, api):
        answer = send(
            api,
            {**PURCHASE, "product": 2**63 - 1},
            CLICK,
            {**CLICK, "result": 99},
            {"type": "purchase", "sku": "gone"},
            {**IMPRESSION, "product": 98},
        )
        assert (answer.status_code, answer.json()) == (
            202,
            {
                "accepted": 1,
                "dropped": 4,
                "unknown": ["events[0].product", "events[2].result", "events[3].sku", "events[4].product"],
            },
        )
        assert Event.objects.get().type == "click"

    def test_a_result_that_is_gone_leaves_its_place_empty(self, api):
        by_sku = {name: value for name, value in IMPRESSION.items() if name != "results"}
        sku = ProductFactory.create().sku
        answer = send(
            api,
            {**IMPRESSION, "results": [3, 99, 5]},
            {**by_sku, "result_skus": ["gone", sku]},
            {**IMPRESSION, "results": [97, 98]},
        )
        assert answer.json() == {
            "accepted": 2,
            "dropped": 1,
            "unknown": [
                "events[0].results[1]", "events[1].result_skus[0]", "events[2].results[0]", "events[2].results[1]",
            ],
        }  # fmt: skip
        added = Product.objects.get(sku=sku).pk
        assert list(Event.objects.order_by("pk").values_list("results", flat=True)) == [[3, None, 5], [None, added]]

    def test_the_answer_names_the_first_twenty_that_are_unknown(self, api):
        assert len(send(api, *[{**PURCHASE, "product": 99}] * 30).json()["unknown"]) == 20

    def test_a_strip_may_have_been_empty(self, api):
        assert send(api, {**IMPRESSION, "results": []}).json()["accepted"] == 1

    def test_the_other_address_is_the_same(self, api):
        answer = api.post("/api/v1/events", {"events": [CLICK]}, content_type="application/json")
        assert answer.json()["accepted"] == 1

    def test_pages_of_every_origin_may_send(self, api):
        assert send(api, CLICK, Origin="https://shop.example")["Access-Control-Allow-Origin"] == "*"
        preflight = api.options(
            URL, headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
        )
        assert "POST" in preflight["Access-Control-Allow-Methods"]


class TestPrivacy:
    @pytest.mark.parametrize("header", ["DNT", "Sec-GPC"])
    def test_a_visitor_who_asks_not_to_be_tracked_is_not(self, api, header):
        answer = send(api, CLICK, **{header: "1"})
        assert (answer.status_code, answer.json()) == (202, {"accepted": 0, "dropped": 0, "unknown": []})
        assert not Event.objects.exists()

    @pytest.mark.parametrize("header", ["DNT", "Sec-GPC"])
    def test_a_visitor_who_does_not_mind_is_counted(self, api, header):
        assert send(api, CLICK, **{header: "0"}).json()["accepted"] == 1

    def test_nothing_identifies_a_visitor(self, api):
        send(api, CLICK, **{"User-Agent": "Mozilla", "Referer": "https://shop.example/p/12", "Cookie": "sessionid=abc"})
        row = Event.objects.values().get()
        assert row.keys() == {
            "id", "type", "product_id", "result_id", "position", "quantity", "results", "collection", "encoder", "created_at",
        }  # fmt: skip
        assert (row["created_at"].minute, row["created_at"].second, row["created_at"].microsecond) == (0, 0, 0)
        assert timezone.now() - row["created_at"] < timedelta(hours=1, minutes=1)

    def test_a_query_is_kept_only_where_the_page_sends_it(self, api):
        assert send(api, CLICK, {**CLICK, "query": "  Red\tMug "}).json()["accepted"] == 2
        assert [*Event.objects.order_by("pk").values_list("searched__query", flat=True)] == [None, "red mug"]
        Event.objects.all().delete()
        assert not EventQuery.objects.exists()

    def test_a_whole_number_may_be_written_with_a_point(self, api):
        assert send(api, {**CLICK, "position": 2.0, "product": 12.0}).json()["accepted"] == 1

    def test_no_cookie_is_set(self, api):
        assert not send(api, CLICK).cookies


class TestRefused:
    @pytest.mark.parametrize(
        ("event", "member", "detail"),
        [
            ({**CLICK, "query": " "}, "query", "must be a text of 1 to 100 characters"),
            ({**CLICK, "query": "a" * 101}, "query", "must be a text of 1 to 100 characters"),
            ({**CLICK, "query": "red\0mug"}, "query", "has characters that no text can have"),
            ({**CLICK, "query": "red \ud83d"}, "query", "has characters that no text can have"),
            ({**CLICK, "position": 0}, "position", "must be an integer from 1 to 1000"),
            ({**CLICK, "position": True}, "position", "must be an integer from 1 to 1000"),
            ({**CLICK, "position": 2.5}, "position", "must be an integer from 1 to 1000"),
            ({**CLICK, "position": None}, "position", "is missing"),
            ({**CLICK, "result": "4"}, "result", "must be a product id"),
            ({**CLICK, "product": 0}, "product", "must be a product id"),
            ({**CLICK, "product": 2**63}, "product", "must be a product id"),
            ({**CLICK, "collection": "a b"}, "collection", "must be a name of up to 60 letters"),
            ({**CLICK, "collection": "a" * 61}, "collection", "must be a name of up to 60 letters"),
            ({**CLICK, "encoder": "all-v1\x00"}, "encoder", "must be a name of up to 80 letters"),
            ({**IMPRESSION, "results": "3,4"}, "results", "must be a list of at most 100 product ids"),
            ({**IMPRESSION, "results": [1] * 101}, "results", "must be a list of at most 100 product ids"),
            ({**IMPRESSION, "results": [1, None]}, "results", "must be a product id"),
            ({**PURCHASE, "quantity": 0}, "quantity", "must be an integer from 1 to 10000"),
            ({**PURCHASE, "price": 5}, "price", "is not a known field; purchase has: type, product, sku, quantity"),
            ({**PURCHASE, "\ud800": 5}, "\\ud800", "is not a known field"),
            ({"type": "purchase"}, "product", "is missing"),
            ({**PURCHASE, "type": "refund"}, "type", "has no valid `type`: use one of impression, click"),
            ({**PURCHASE, "type": ["purchase"]}, "type", "has no valid `type`"),
        ],
    )  # fmt: skip
    def test_an_error_of_an_event_has_its_path(self, api, event, member, detail):
        errors = errors_of(send(api, CLICK, event))
        assert list(errors) == [f"events[1].{member}"]
        assert errors[f"events[1].{member}"].startswith(detail)

    def test_all_errors_are_reported_at_once(self, api):
        errors = errors_of(send(api, {**CLICK, "position": 0, "result": -1}, "click", {"product": 4}, PURCHASE))
        assert errors.keys() == {"events[0].position", "events[0].result", "events[1]", "events[2]"}

    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            ("", "is missing"),
            ("{}", "is missing"),
            ("[]", "is missing"),
            ('{"events": {}}', "is missing"),
            ('{"events": []}', "has 0 events: send 1 to 100 per request"),
            (json.dumps({"events": [ADD_TO_CART] * 101}), "has 101 events: send 1 to 100 per request"),
        ],
    )
    def test_a_document_without_events_or_with_too_many(self, api, body, detail):
        assert errors_of(send_body(api, body))["events"].startswith(detail)

    def test_a_document_has_events_and_nothing_else(self, api):
        assert errors_of(send_body(api, json.dumps({"events": [CLICK], "visitor": 7}))).keys() == {"visitor"}

    def test_events_take_no_parameters(self, api):
        answer = api.post(f"{URL}?debug=1", {"events": [CLICK]}, content_type="application/json")
        assert errors_of(answer).keys() == {"debug"}

    @pytest.mark.parametrize(
        "body", [b"{", b"\xff\xfe{}", b"[" * 60_000, b"1" * 5000 + b"0"], ids=["cut", "bytes", "deep", "long"]
    )
    def test_what_is_no_json_is_malformed(self, api, body):
        assert problem(send_body(api, body), 400)["type"] == "urn:problem-type:lookalike:malformed"

    def test_a_body_of_more_than_64_kib_is_not_read(self, api):
        body = problem(send_body(api, " " * 65_537), 413)
        assert body["detail"] == "The events are larger than 65,536 bytes: send fewer per request"

    def test_another_kind_of_body_is_not_taken(self, api):
        problem(api.post(URL, {"events": "[]"}), 415)

    def test_events_cannot_be_read_by_visitors(self, api):
        problem(api.get(URL), 405)

    def test_a_hundred_events_of_which_all_is_wrong_fit_an_answer(self, api):
        event = {"type": "click", **{f"x{number}": 0 for number in range(50)}}
        assert len(send(api, *[event] * 100).content) < 64 * 1024


class TestForgotten:
    def test_what_is_older_than_the_setting_says_is_deleted(self, settings, capsys):
        settings.EVENTS_KEEP_DAYS = 30
        old = [stored_days_ago(31), stored_days_ago(400, type="click"), stored_days_ago(30.1, type="impression")]
        young = stored_days_ago(29)
        call_command("prune_events")
        assert capsys.readouterr().out == f"{len(old)} events deleted\n"
        assert list(Event.objects.all()) == [young]

    def test_more_than_one_batch_goes(self, monkeypatch):
        monkeypatch.setattr(events, "_DELETE_BATCH_SIZE", 2)
        for _ in range(5):
            stored_days_ago(400)
        assert events.prune() == 5
        assert not Event.objects.exists()

    def test_without_a_broker_new_events_push_out_the_old(self, api):
        old = stored_days_ago(91)
        send(api, CLICK)
        assert not Event.objects.filter(pk=old.pk).exists()

    def test_with_a_broker_its_periodic_task_does_it(self, api, settings):
        settings.CELERY_BROKER_URL = "memory://"
        stored_days_ago(91)
        send(api, CLICK)
        assert Event.objects.count() == 2
        entry = settings.CELERY_BEAT_SCHEDULE["prune-events"]
        app.loader.import_default_modules()
        app.tasks[entry["task"]].run()
        assert tasks.prune_events.name == entry["task"]
        assert Event.objects.get().type == "click"


class TestLimits:
    def test_a_request_counts_once_for_every_ten_events(self, api, settings):
        settings.API_REQUESTS_PER_MINUTE = 20
        remaining = [send(api, *[CLICK] * number)["RateLimit"] for number in (10, 11, 100)]
        assert [each.partition("r=")[2].partition(";")[0] for each in remaining] == ["19", "17", "7"]
        assert problem(send(api, *[CLICK] * 100), 429)["type"].endswith(":rate-exceeded")
        assert Event.objects.count() == 121

    def test_an_address_stores_so_many_bytes_a_day(self, api, settings):
        settings.EVENTS_ADDRESS_MAX_BYTES_A_DAY = 100_000
        stored = 0
        while (answer := send(api, *[{**IMPRESSION, "results": [3, 4, 5] * 33}] * 10)).status_code == 202:
            stored += 10
        refused = problem(answer, 429)
        assert refused["type"] == "urn:problem-type:lookalike:event-limit-exceeded"
        assert refused["detail"].startswith("This address has stored as many events as one may in a day: nothing of")
        assert 0 < int(answer["Retry-After"]) <= 24 * 3600
        assert Event.objects.count() == stored == 30
        another = send_body(api, json.dumps({"events": [CLICK]}), "application/json")
        assert another.status_code == 429
        assert api.post(URL, {"events": [CLICK]}, "application/json", REMOTE_ADDR="10.1.2.3").status_code == 202

    def test_the_shop_s_own_server_is_not_one_address(self, api, settings):
        settings.EVENTS_ADDRESS_MAX_BYTES_A_DAY = 1
        key = keys.create(ApiKey(name="shop", kind=ApiKey.Kind.SECRET)).text
        assert send(api, CLICK, Authorization=f"Bearer {key}").status_code == 202
        assert send(api, CLICK).status_code == 429

    def test_all_together_store_so_many_rows_an_hour(self, api, settings):
        settings.EVENTS_MAX_ROWS_AN_HOUR = 5
        assert send(api, *[CLICK] * 4).status_code == 202
        answer = send(api, *[CLICK] * 2)
        assert problem(answer, 429)["detail"].startswith("The server has stored as many events as it may in an hour")
        assert 0 < int(answer["Retry-After"]) <= 3600
        assert Event.objects.count() == 4

    def test_of_too_many_rows_the_oldest_go(self, settings):
        settings.EVENTS_MAX_ROWS = 3
        rows = [stored_days_ago(0) for _ in range(5)]
        assert events.prune() == 2
        assert list(Event.objects.order_by("pk")) == rows[2:]


def test_wrong_skus_are_reported_one_by_one(api):
    results = {"collection": "all", "encoder": "all-v1"}

    wrong = errors_of(
        send(
            api,
            {"type": "impression", "sku": "m-1", "result_skus": ["M-1", "\ud800"], **results},
            {"type": "purchase", "product": 4, "sku": "M-1"},
            {"type": "purchase", "sku": 4},
            {"type": "purchase", "sku": "x" * 256},
            {"type": "click", "result_sku": None, "position": 1, **results},
            {"type": "impression", "result_skus": "M-1", **results},
            {"type": "purchase"},
        )
    )

    assert set(wrong) == {
        "events[1].sku", "events[2].sku",
        "events[3].sku", "events[4].result_sku", "events[5].result_skus", "events[6].product",
    }  # fmt: skip
