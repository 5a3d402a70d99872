"""Stamps change with what they stand for, in the transaction of the change, and with nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, close_old_connections, connection, connections, transaction
from django.utils import timezone

from catalog import stamps
from catalog.models import Category, Product, Stamp
from embeddings.models import Collection
from recommender.models import Event
from tests.factories import ProductFactory
from tests.stamped import as_if_committed

pytestmark = pytest.mark.django_db


class Undone(Exception):
    """Rolls a transaction back."""


def in_a_thread(work: Callable[[], object]) -> None:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "waits for another transaction"


def test_each_topic_has_a_stamp_of_its_own() -> None:
    before = stamps.read()
    ProductFactory.create()
    after = stamps.read()
    assert after.catalogue != before.catalogue
    assert after.setup == before.setup
    Collection.objects.update(name="Everything")
    assert stamps.read().setup != after.setup
    assert stamps.read().catalogue == after.catalogue


def test_what_no_answer_is_made_of_leaves_them() -> None:
    before = stamps.read()
    Event.objects.create(type=Event.Type.CLICK, result_id=1, created_at=timezone.now())
    assert stamps.read() == before


def test_rows_that_are_written_or_passed_over_together_count() -> None:
    """SQLite takes the way of handling conflicts from the statement that fires a trigger."""
    before = stamps.read()
    Category.objects.bulk_create([Category(name="A", slug="a", path="a")], ignore_conflicts=True)
    between = stamps.read()
    assert between != before
    as_if_committed()
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {Category._meta.db_table} SET name = 'B'")  # noqa: S608
    assert stamps.read() != between


def test_a_change_that_is_undone_has_no_stamp_and_the_next_one_has() -> None:
    before = stamps.read()
    with pytest.raises(Undone), transaction.atomic():
        ProductFactory.create()
        assert stamps.read() != before
        raise Undone
    assert stamps.read() == before
    ProductFactory.create()
    assert stamps.read() != before


@pytest.mark.django_db(transaction=True)
def test_an_empty_table_is_filled_again() -> None:
    Stamp.objects.all().delete()
    ProductFactory.create()
    assert stamps.read().catalogue is not None


@pytest.mark.django_db(transaction=True)
def test_two_transactions_do_not_wait_for_each_other() -> None:
    if connection.vendor == "sqlite":  # has one writer at a time
        return
    first, second = ProductFactory.create(), ProductFactory.create()
    before = stamps.read()
    seen = []
    with transaction.atomic():
        Product.objects.filter(pk=first.pk).update(title="A")
        in_a_thread(lambda: Product.objects.filter(pk=second.pk).update(title="B"))
        in_a_thread(lambda: seen.append(stamps.read()))
    assert seen[0] not in (before, stamps.read())


@pytest.mark.django_db(transaction=True)
def test_a_request_after_the_server_was_started_again_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor == "sqlite":  # has no server
        return
    monkeypatch.setitem(connection.settings_dict, "CONN_HEALTH_CHECKS", True)
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    seen: list[stamps.Stamps] = []

    def second_request() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (backend,) = cursor.fetchone()
        with main.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [backend])
        close_old_connections()
        seen.append(stamps.read())

    main = connections[DEFAULT_DB_ALIAS]
    main.inc_thread_sharing()
    try:
        in_a_thread(second_request)
    finally:
        main.dec_thread_sharing()
    assert seen == [stamps.read()]


@pytest.mark.django_db(transaction=True)
def test_tables_that_lost_their_triggers_get_them_again_by_migrate() -> None:
    stamps.drop_triggers(connection)
    before = stamps.read()
    ProductFactory.create()
    assert stamps.read() == before
    call_command("migrate", verbosity=0)
    ProductFactory.create()
    assert stamps.read() != before
