"""manage.py api_key: make, list and revoke the keys of the API."""

from __future__ import annotations

import argparse
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey

_MOST_DAYS = 36_500
_STATES = {True: "good", False: "revoked or expired"}


class Command(BaseCommand):
    help = "Make, list and revoke the keys of the API. A key is shown once, when it is made."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="do", required=True)
        create = actions.add_parser("create", help="make a key, and print it")
        create.add_argument("name", help="what it is for")
        create.add_argument("--secret", action="store_true", help="for a server; default: publishable, for pages")
        create.add_argument(
            "--origin",
            action="append",
            default=[],
            metavar="https://SHOP",
            help="pages that may use it; may be repeated",
        )
        create.add_argument("--may", action="append", default=[], choices=sorted(keys.WRITES), help="may be repeated")
        create.add_argument("--days", type=_days, metavar="N", help="until it expires; default: never")
        create.add_argument("--requests-per-minute", type=_positive, metavar="N")
        actions.add_parser("list", help="all keys, by what they begin with")
        revoke = actions.add_parser("revoke", help="let nobody use a key any more")
        revoke.add_argument("prefix", help="what it begins with, as `list` prints it")

    def handle(self, *, do: str, **options: Any) -> None:
        {"create": self._create, "list": self._list, "revoke": self._revoke}[do](options)

    def _create(self, options: dict[str, Any]) -> None:
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
            made = keys.create(row)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(made.text)
        self.stderr.write("Keep it: it is shown this once.")

    def _list(self, _: dict[str, Any]) -> None:
        for row in ApiKey.objects.all():
            used = f"used {row.last_used_at:%Y-%m-%d}" if row.last_used_at else "never used"
            self.stdout.write(f"{row.prefix}…  {row.kind:11}  {_STATES[row.is_good]}, {used}  {row.name}")

    def _revoke(self, options: dict[str, Any]) -> None:
        prefix = options["prefix"].rstrip("….")
        found = list(ApiKey.objects.filter(prefix=prefix, revoked_at=None))
        if len(found) != 1:
            raise CommandError(f"{len(found) or 'no'} good keys begin with {prefix!r}: manage.py api_key list")
        keys.revoke(found[0])
        self.stdout.write(f"{found[0]} is revoked")


def _days(text: str) -> int:
    days = _positive(text)
    if days > _MOST_DAYS:
        raise argparse.ArgumentTypeError(
            f"{days:,} days are more than {_MOST_DAYS:,}: leave it out for a key that does not expire"
        )
    return days


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
