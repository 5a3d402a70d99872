"""manage.py match: find the same products in two files."""

from __future__ import annotations

import argparse
import csv
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from embeddings.backends import get_encoder
from embeddings.encoders.base import Encoder
from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from embeddings.match_files import FoundMatch, Listed, match_records, read_records
from jobs import arguments
from jobs.progress import ProgressCallback, stage_bars
from product_files.mapping import FieldMapping
from product_files.mapping_file import load_mapping
from product_files.rows import ChoiceNeeded, InvalidSource, NoColumn

_COLUMNS = ("left_sku", "right_sku", "probability", "photo", "text", "left_title", "right_title")


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no probability between 0 and 1")
    return value


class Command(BaseCommand):
    help = (
        "Find the products of one file in another, such as the feed of another seller, by photo and text, and write the "
        "pairs as CSV with the probability that they are the same product. Nothing is imported. Any format that can be "
        "imported will do."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--left", type=arguments.path, required=True, metavar="FILE", help="whose products are looked for"
        )
        parser.add_argument(
            "--right", type=arguments.path, required=True, metavar="FILE", help="where they are looked for"
        )
        for side in ("left", "right"):
            parser.add_argument(
                f"--{side}-mapping",
                type=arguments.path,
                metavar="FILE.toml",
                help="which of its columns are which fields, its encoding and delimiter, as for import_catalog (default: detected)",
            )
            parser.add_argument(
                f"--{side}-table",
                metavar="NAME",
                default="",
                help="of a zip or workbook with several tables, the one to read",
            )
        parser.add_argument(
            "--left-images", type=arguments.path, metavar="FOLDER", help="its photos (default: beside the file)"
        )
        parser.add_argument(
            "--right-images", type=arguments.path, metavar="FOLDER", help="its photos (default: beside the file)"
        )
        parser.add_argument("--no-photos", action="store_true", help="compare texts alone")
        parser.add_argument(
            "--min-probability",
            type=_probability,
            default=0.5,
            metavar="P",
            help="the lowest that is written (default: 0.5)",
        )
        parser.add_argument("--one-to-one", action="store_true", help="each product is in one pair at most")
        parser.add_argument(
            "--out", type=arguments.path, metavar="FILE", help="where to write the CSV (default: standard output)"
        )

    def handle(self, **options: Any) -> None:
        try:
            encoder = None if options["no_photos"] else get_encoder()
            with stage_bars() as on_progress:
                left, right = (
                    _read(side, options, encoder=encoder, on_progress=on_progress) for side in ("left", "right")
                )
                found = match_records(
                    left,
                    right,
                    min_probability=options["min_probability"],
                    one_to_one=options["one_to_one"],
                    on_progress=on_progress,
                )
        except EmbeddingsError as error:
            raise command_error(error) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted: nothing was written.", returncode=130) from None
        if options["out"] is None:
            _write(self.stdout, found)
        else:
            try:
                with options["out"].open("w", newline="") as file:
                    _write(file, found)
            except OSError as error:
                raise CommandError(f"{options['out']} cannot be written: {error.strerror}") from error
        for side, listed in (("left", left), ("right", right)):
            for line, reason in listed.problems:
                self.stderr.write(f"{options[side]}, line {line}: {reason}", style_func=str)
        self.stderr.write(
            f"{len(found)} pairs of {_described(left)} and {_described(right)}",
            ending="\n",
            style_func=lambda text: text,
        )


def _read(side: str, options: dict[str, Any], *, encoder: Encoder | None, on_progress: ProgressCallback) -> Listed:
    """Read the file of a side.

    Returns:
        Its rows.

    Raises:
        CommandError: it cannot be read; says what this command offers against it.
    """
    mapping = options[f"{side}_mapping"]
    try:
        return read_records(
            options[side],
            mapping=load_mapping(mapping) if mapping else FieldMapping(),
            table=options[f"{side}_table"],
            images=options[f"{side}_images"],
            encoder=encoder,
            on_progress=on_progress,
        )
    except NoColumn as error:
        raise CommandError(f"{options[side]}: {error}\n{_by_mapping(side, error.field)}") from error
    except ChoiceNeeded as error:
        values = ", ".join(value for value, _ in error.choices)
        by = (
            f"--{side}-table NAME"
            if error.option == "table"
            else f'{error.option} = "..." in --{side}-mapping FILE.toml'
        )
        raise CommandError(f"{options[side]}: {error}\nChoose by {by}: {values}") from error
    except InvalidSource as error:
        text = str(error)
        raise CommandError(text if str(options[side]) in text else f"{options[side]}: {text}") from error


def _by_mapping(side: str, field: str) -> str:
    return f'Name the column in a mapping file, --{side}-mapping FILE.toml: [columns], and below it {field} = "COLUMN".'


def _write(file: Any, found: list[FoundMatch]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for pair in found:
        photo = "" if pair.photo is None else f"{pair.photo:.4f}"
        writer.writerow(
            [
                pair.left,
                pair.right,
                f"{pair.probability:.4f}",
                photo,
                f"{pair.text:.4f}",
                pair.left_title,
                pair.right_title,
            ]
        )


def _described(listed: Listed) -> str:
    notes = [f"{listed.invalid} left out"] * bool(listed.invalid) + [f"{listed.no_photo} without a photo"] * bool(
        listed.no_photo
    )
    return f"{len(listed.entries)} products" + (f" ({', '.join(notes)})" if notes else "")
