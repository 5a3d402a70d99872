"""manage.py export_similar: write every product's recommendations into a file, for shops that only serve files."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.http import QueryDict

from catalog.api.parameters import check_names
from embeddings.backends import get_vector_index
from embeddings.errors import EmbeddingsError, IndexLocked, UnknownCollection
from embeddings.indexing import process_outbox
from embeddings.management.errors import command_error
from embeddings.private_index import private_index
from embeddings.selectors import DUE_STATES, active_rows, live_collection
from jobs import arguments
from jobs.progress import ProgressCallback, stage_bars
from recommender.api.parameters import SimilarParameters
from recommender.export.formats import FORMATS
from recommender.export.run import ExportOptions, ExportReport, export_similar
from recommender.queries import SimilarQuery
from recommender.weighing import NoParts
from rest.errors import InvalidParameters
from rest.parameters import ANY_NAME

# Parameters of the API that make no sense for a file.
_LEFT_OUT = frozenset({"offset", "explain"})


class Command(BaseCommand):
    help = (
        "Write the similar products of every visible product into a file. Only answers that may have changed since the last "
        "export into the same file are computed; the others are copied from FILE.state. The file is replaced when it is complete."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "file", type=arguments.path, metavar="FILE", help="where to write; it is replaced at the end"
        )
        parser.add_argument("--format", choices=FORMATS, required=True, help="of the file")
        parser.add_argument("--whole", action="store_true", help="compute every answer again")
        parser.add_argument(
            "--changed-only", action="store_true", help="write only answers that are new or differ from the last export"
        )
        for name, field in _parameters().items():
            parser.add_argument(
                _option(name),
                action="append",
                dest=name,
                metavar="NAME=VALUE" if name.endswith(ANY_NAME) else "VALUE",
                help=str(field.help_text).replace("%", "%%"),
            )

    def handle(self, **options: Any) -> None:
        query, strict = _query(options)
        export = ExportOptions(query, options["format"], options["whole"], options["changed_only"])
        try:
            if strict:
                check_names(query.filter, is_empty=True)
            with stage_bars() as on_progress, self._readable_index(query.collection, on_progress):
                report = export_similar(options["file"], export, on_progress)
        except InvalidParameters as error:
            raise _command_error(error) from error
        except UnknownCollection as error:
            raise CommandError(f"--collection: {error}") from error
        except NoParts as error:
            raise CommandError(f"--weights: {error} (manage.py reindex --rebuild)") from error
        except EmbeddingsError as error:
            raise command_error(error) from error
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be written: {error.strerror}") from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted. The file is as it was.", returncode=130) from None
        self._say(report, options["file"])

    @contextmanager
    def _readable_index(self, collection: str, on_progress: ProgressCallback) -> Iterator[None]:
        """Have an index to ask: the live one, or beside a server that holds it, a copy of this process's own."""
        try:
            # Also where no photo waits: what follows asks the index.
            get_vector_index().claim()
            process_outbox()
        except IndexLocked:
            waiting = active_rows().filter(state__in=DUE_STATES).count()
            if waiting:
                self.stderr.write(f"{waiting} photos are not indexed yet: the next export has what they change")
            with private_index(live_collection(collection), on_progress):
                yield
        else:
            yield

    def _say(self, report: ExportReport, path: Path) -> None:
        self.stdout.write(
            f"{path}: {report.written} of {report.products} products written;"
            f" {report.computed} computed, {report.different} new or different"
        )


def _parameters() -> dict[str, Any]:
    """The API's parameters of similar products, by name."""
    fields = SimilarParameters().get_fields()
    return {name: field for name, field in fields.items() if name not in _LEFT_OUT}


def _option(name: str) -> str:
    """`min_price` -> `--min-price`, `attribute.<name>` -> `--attribute`."""
    return "--" + name.removesuffix(f".{ANY_NAME}").replace("_", "-")


def _query(options: dict[str, Any]) -> tuple[SimilarQuery, bool]:
    """The query of the options, and whether the names in it have to exist. Raises CommandError."""
    parameters = QueryDict(mutable=True)
    for name in _parameters():
        for value in options[name] or ():
            if not name.endswith(ANY_NAME):
                parameters.appendlist(name, value)
                continue
            own_name, equals, text = value.partition("=")
            if not equals:
                raise CommandError(f"{_option(name)}: {value!r} must have the form name=value")
            parameters.appendlist(name.replace(ANY_NAME, own_name), text)
    try:
        values = SimilarParameters.parse(parameters)
    except InvalidParameters as error:
        raise _command_error(error) from error
    strict = bool(values.pop("strict"))
    return SimilarQuery(**values, for_visitor=False), strict


def _command_error(error: InvalidParameters) -> CommandError:
    """In the words of the command line."""
    return CommandError("; ".join(f"{_option(each.parameter)}: {_in_options(each.detail)}" for each in error.errors))


def _in_options(detail: str) -> str:
    """A message whose parameters are named as options: `strict=false` -> `--strict false`."""
    return re.sub(r"\bstrict=", "--strict ", re.sub(r"\b(min|max)_(price|score)\b", r"--\1-\2", detail))
