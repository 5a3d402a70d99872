"""Stamps: numbers that change whenever what answers are made of changes, whoever changes it. They make ETags possible.

The database sets a stamp in the transaction of the change, by triggers on the tables that apps `watch`. So a stamp is seen together
with what it stands for, and no way of writing is forgotten. A stamp is drawn at random: a database that was restored and then
changed otherwise has another one. PostgreSQL has several rows a topic: a transaction takes one that no other has, and never waits.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.db.models.signals import post_migrate

from catalog.models import Stamp


class Topic(StrEnum):
    """What a stamp stands for."""

    CATALOGUE = "catalogue"
    SETUP = "setup"


@dataclass(frozen=True, slots=True)
class Stamps:
    """The stamps of a moment.

    Attributes:
        catalogue: of products, photos, categories, and of what the index has of them; None before the first change.
        setup: of collections, encoder versions, rules and what was learned; likewise.
    """

    catalogue: int | None
    setup: int | None


_TABLE = Stamp._meta.db_table
_READ = f"""
    SELECT (SELECT SUM(value) FROM {_TABLE} WHERE topic = '{Topic.CATALOGUE}'),
    (SELECT SUM(value) FROM {_TABLE} WHERE topic = '{Topic.SETUP}')
"""  # noqa: S608  # the name of our own table
# Another name for other content: what there is by its name is kept.
_NAME = "stamp_1"
_WRITES = ("INSERT", "UPDATE", "DELETE")
# SQLite runs a trigger for each row. No conflict clause: that of the statement which fires the trigger would count.
_SQLITE_TRIGGER = """
    CREATE TRIGGER "{name}_{write}_{table}" AFTER {write} ON "{table}" BEGIN
        INSERT INTO {stamps} (id, topic, value)
        SELECT {row}, '{topic}', 0 WHERE NOT EXISTS (SELECT 1 FROM {stamps} WHERE id = {row});
        UPDATE {stamps} SET value = random() WHERE id = {row};
    END
"""
_POSTGRESQL_TRIGGER = """
    CREATE TRIGGER "{name}_{write}_{table}" AFTER {write} ON "{table}"
    FOR EACH STATEMENT EXECUTE FUNCTION lookalike_{name}('{topic}')
"""
# Once a transaction and topic: a row that is written again and again would leave thousands of dead ones. What is noted is forgotten
# with a savepoint that is rolled back.
_POSTGRESQL_FUNCTION = """
    CREATE OR REPLACE FUNCTION lookalike_{name}() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        noted text := 'lookalike.' || TG_ARGV[0];
        own text := pg_current_xact_id()::text;
        drawn bigint := floor(random() * 2 ^ 52);
    BEGIN
        IF current_setting(noted, true) IS DISTINCT FROM own THEN
            UPDATE {stamps} SET value = drawn
            WHERE id = (SELECT id FROM {stamps} WHERE topic = TG_ARGV[0] LIMIT 1 FOR UPDATE SKIP LOCKED);
            IF NOT FOUND THEN
                INSERT INTO {stamps} (topic, value) VALUES (TG_ARGV[0], drawn);
            END IF;
            PERFORM set_config(noted, own, true);
        END IF;
        RETURN NULL;
    END $$
"""
_watched: dict[str, Topic] = {}


def read() -> Stamps:
    """The stamps as the current transaction sees them; read them before what they stand for."""
    # Not by `connection`, which looks for the thread's own at each access.
    database = connections[DEFAULT_DB_ALIAS]
    # As Django's cursor does it: a request may be the first one after the server was started again.
    database.close_if_health_check_failed()
    database.ensure_connection()
    # By the driver itself, unless queries are logged: Django's cursor takes longer than the query.
    asked: Any = database if database.queries_logged else database.connection
    with database.wrap_database_errors, closing(asked.cursor()) as cursor:
        cursor.execute(_READ)
        return Stamps(*cursor.fetchone())


def may_lag() -> bool:
    """Whether there may be changes without a stamp of their own: PostgreSQL sets one in each transaction, not for each change."""
    return not _is_sqlite() and connections[DEFAULT_DB_ALIAS].in_atomic_block


@cache
def _is_sqlite() -> bool:
    return connections[DEFAULT_DB_ALIAS].vendor == "sqlite"


def watch(topic: Topic, *models: type[Model]) -> None:
    """Have the stamp of a topic change with tables. For an app's `ready`; `migrate` makes the triggers.

    Args:
        topic: the topic.
        *models: whose tables they are.
    """
    _watched.update({model._meta.db_table: topic for model in models})
    post_migrate.connect(_on_migrated, dispatch_uid="catalog.stamps")


def _on_migrated(*, app_config: Any, using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Make the triggers that are missing, after the last app: migrations of SQLite make tables again, and drop their triggers."""
    # The signal is sent for apps with models.
    last = [each for each in apps.get_app_configs() if each.models_module is not None][-1]
    if app_config.label == last.label:
        _make_triggers(connections[using])


def _make_triggers(database: BaseDatabaseWrapper) -> None:
    tables = {*database.introspection.table_names()}
    if _TABLE not in tables:
        return
    is_sqlite = database.vendor == "sqlite"
    names = {"name": _NAME, "stamps": _TABLE}
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'" if is_sqlite else "SELECT tgname FROM pg_trigger"
        )
        existing = {name for (name,) in cursor.fetchall()}
        missing = [
            (table, topic, write)
            for table, topic in _watched.items()
            for write in _WRITES
            if table in tables and f"{_NAME}_{write}_{table}" not in existing
        ]
        if missing and not is_sqlite:
            cursor.execute(_POSTGRESQL_FUNCTION.format(**names))
        for table, topic, write in missing:
            trigger = _SQLITE_TRIGGER if is_sqlite else _POSTGRESQL_TRIGGER
            row = [*Topic].index(topic) + 1
            cursor.execute(trigger.format(table=table, topic=topic, write=write, row=row, **names))


def drop_triggers(database: BaseDatabaseWrapper) -> None:
    """Drop all triggers, before the table of the stamps is dropped.

    Args:
        database: that has them.
    """
    with database.cursor() as cursor:
        if database.vendor == "sqlite":
            cursor.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'stamp\\_%' ESCAPE '\\'"
            )
            for (name,) in cursor.fetchall():
                cursor.execute(f'DROP TRIGGER "{name}"')
        else:
            cursor.execute(f"DROP FUNCTION IF EXISTS lookalike_{_NAME} CASCADE")
