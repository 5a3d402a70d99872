"""manage.py rules: merchandising rules as a file under version control."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from recommender.rules.documents import ImportReport, export_rules, import_rules
from recommender.rules.errors import InvalidRule

# A file of so many rules is longer than any that people write.
_MAX_BYTES = 64 * 1024 * 1024


class Command(BaseCommand):
    help = "Export all merchandising rules to a JSON file, or replace all of them by those of a file."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        export = actions.add_parser("export", help="write all rule sets to a file")
        export.add_argument("file", nargs="?", default="-", help="path; - for the standard output (the default)")
        load = actions.add_parser("import", help="replace all rule sets by those of a file, all or nothing")
        load.add_argument("file", help="path; - for the standard input")
        load.add_argument("--dry-run", action="store_true", help="change nothing, and say what would change")
        load.add_argument(
            "--allow-lost",
            action="store_true",
            help="accept rules that name categories, brands, products, tags or attributes that do not exist: they apply to nothing",
        )

    def handle(self, *, action: str, file: str, **options: Any) -> None:
        if action == "export":
            self._export(file)
        else:
            self._import(file, dry_run=options["dry_run"], allow_lost=options["allow_lost"])

    def _export(self, file: str) -> None:
        text = export_rules()
        if file == "-":
            self.stdout.write(text, ending="")
            return
        try:
            Path(file).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"cannot write {file}: {error.strerror}") from error
        self.stdout.write(f"rules written to {file}")

    def _import(self, file: str, *, dry_run: bool, allow_lost: bool) -> None:
        try:
            report = import_rules(_read(file), dry_run=dry_run, allow_lost=allow_lost)
        except InvalidRule as error:
            lines = [f"  {each.parameter} {each.detail}" for each in error.errors]
            raise CommandError("\n".join(["nothing was changed:", *lines])) from error
        for warning in report.warnings:
            self.stderr.write(f"warning: {warning}")
        for line in _lines(report, dry_run=dry_run):
            self.stdout.write(line)


def _read(file: str) -> str:
    try:
        content = sys.stdin.buffer.read(_MAX_BYTES + 1) if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}") from error
    if not content.strip():
        raise CommandError(f"{file} is empty: manage.py rules export writes a file of rules")
    if len(content) > _MAX_BYTES:
        raise CommandError(f"{file} is larger than {_MAX_BYTES:,} bytes: it is no file of rules")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is no JSON in UTF-8, as manage.py rules export writes it") from error


def _lines(report: ImportReport, *, dry_run: bool) -> list[str]:
    if report.changes_nothing:
        return ["nothing to change: the rules are those of the file"]
    sets = [
        f"rule sets {word}: {', '.join(names)}"
        for word, names in (
            ("created", report.created_sets),
            ("changed", report.changed_sets),
            ("deleted", report.deleted_sets),
        )
        if names
    ]
    rules = f"{report.created:,} rules created, {report.deleted:,} deleted, {report.kept:,} kept"
    return [*sets, rules, *(["nothing was changed (--dry-run)"] if dry_run else [])]
