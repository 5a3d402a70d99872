"""manage.py api_key: create, list and revoke API keys."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey

_MAX_DAYS = 36_500
_STATE_LABELS = {True: "valid", False: "revoked or expired"}
# Of fields whose messages do not say what they are about.
_ARGUMENTS = {"name": "name", "requests_per_minute": "--requests-per-minute"}


class Command(BaseCommand):
    help = "Create, list and revoke API keys. A key is shown once, when it is created."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="do", required=True)
        create = actions.add_parser("create", help="create a key and print it")
        create.add_argument("name", help="purpose of the key")
        create.add_argument(
            "--secret", action="store_true", help="secret key, for servers; default: publishable, for pages"
        )
        create.add_argument(
            "--origin",
            action="append",
            default=[],
            metavar="https://SHOP",
            help="allowed origin of a publishable key; may be repeated",
        )
        create.add_argument(
            "--may",
            action="append",
            default=[],
            choices=sorted(scope.value for scope in keys.WRITES),
            help="scope; may be repeated",
        )
        create.add_argument("--days", type=_days, metavar="N", help="days until it expires; default: never")
        create.add_argument("--requests-per-minute", type=_positive, metavar="N", help="its rate limit")
        actions.add_parser("list", help="list keys by prefix")
        revoke = actions.add_parser("revoke", help="revoke a key")
        revoke.add_argument("prefix", help="prefix of the key, as `list` prints it")

    def handle(self, *, do: str, **options: Any) -> None:
        {"create": self._create, "list": self._list, "revoke": self._revoke}[do](options)

    def _create(self, options: dict[str, Any]) -> None:
        if options["may"] and not options["secret"]:
            raise CommandError("--may needs --secret: a publishable key can only read, since anyone can see it")
        days = options["days"]
        row = ApiKey(
            name=options["name"],
            kind=ApiKey.Kind.SECRET if options["secret"] else ApiKey.Kind.PUBLISHABLE,
            origins="\n".join(options["origin"]),
            may_import=keys.Scope.IMPORT in options["may"],
            may_train=keys.Scope.TRAIN in options["may"],
            requests_per_minute=options["requests_per_minute"],
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
        try:
            new_key = keys.create(row)
        except ValidationError as error:
            raise CommandError("; ".join(_in_options(error))) from error
        self.stdout.write(new_key.text)
        self.stderr.write("Store it now: it is not shown again.")

    def _list(self, _: dict[str, Any]) -> None:
        rows = list(ApiKey.objects.all())
        if not rows:
            self.stderr.write("There are no keys yet: manage.py api_key create makes one.")
        for row in rows:
            used = f"used {row.last_used_at:%Y-%m-%d}" if row.last_used_at else "never used"
            self.stdout.write(f"{row.prefix}…  {row.kind:11}  {_STATE_LABELS[row.is_valid]}, {used}  {row.name}")

    def _revoke(self, options: dict[str, Any]) -> None:
        prefix = options["prefix"].rstrip("….")
        found = list(ApiKey.objects.filter(prefix=prefix, revoked_at=None))
        if len(found) != 1:
            raise CommandError(
                f"{len(found) or 'no'} valid keys have the prefix {prefix!r}: see manage.py api_key list"
            )
        keys.revoke(found[0])
        self.stdout.write(f"{found[0]} is revoked")


def _in_options(error: ValidationError) -> Iterator[str]:
    """The messages of an error, those that do not say what they are about with the argument."""
    for field, messages in error.message_dict.items():
        argument = _ARGUMENTS.get(field)
        yield from (f"{argument}: {message}" if argument else message for message in messages)


def _days(text: str) -> int:
    days = _positive(text)
    if days > _MAX_DAYS:
        raise argparse.ArgumentTypeError(
            f"{days:,} days are more than {_MAX_DAYS:,}: omit --days for a key that does not expire"
        )
    return days


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)
