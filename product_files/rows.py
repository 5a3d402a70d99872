"""What every source of products yields: rows with photos, and what was wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from jobs.facts import fact_of, restored
from pictures.photos import Photo
from product_files.product_data import ProductData


class InvalidSource(ValueError):
    """Nothing can be imported from this source: it does not exist, is of an unknown format, or lacks a column."""


class ChoiceNeeded(InvalidSource):
    """Nothing is read before a person has chosen.

    Attributes:
        option: name of the option.
        choices: (value, what it would mean) each.
    """

    def __init__(self, option: str, choices: Sequence[tuple[str, str]], message: str) -> None:
        super().__init__(message)
        self.option = option
        self.choices = choices


class NoColumn(InvalidSource):
    """A required field has no column.

    Attributes:
        field: name of the field.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class RowRejected(ValueError):
    """This row cannot become a product. The message is the reason in the report."""


class PhotoSkipped(Exception):
    """This photo is not loaded in this import."""


@dataclass(frozen=True, slots=True)
class LoadedPhoto:
    """A valid photo. sha256: of its content. photo: None if the content was known before."""

    sha256: str
    photo: Photo | None = None


class PhotoSource(Protocol):
    """A photo that a row names."""

    @property
    def name(self) -> str:
        """The name in the row: a path or a URL."""

    @property
    def alt(self) -> str:
        """Alternative text; empty if the row has none."""

    def load(self, known_hashes: Mapping[str, str]) -> LoadedPhoto:
        """Load and validate the photo.

        Args:
            known_hashes: SHA-256 of stored photos that need not be validated again, by their own and by that of the file as
                it came.

        Returns:
            The photo.

        Raises:
            ImageRejected: it does not exist or is not a valid photo.
            PhotoSkipped: photos of this kind are not loaded in this import.
        """


@dataclass(frozen=True, slots=True)
class Row:
    """One product of a source.

    Attributes:
        line: line or item number in the source, from 1.
        sku: "" if it could not be read.
        product: None if the row is invalid.
        error: why the row is invalid.
        photos: in display order; None if the source has no photos.
        fields: fields that the source has; None for all.
        photo_required: reject the row if a photo is rejected.
        only_changes: the source says that it has only what changed, so that what is missing from it is not gone.
        is_last_readable: the source cannot be read beyond this (invalid) row.
        cells: the lines of a table that the row was read from.
        warnings: values that could not be used; the product is imported without them.
        record: what the row was built from, by column.
        unknown: no product has its SKU, and the import only changes products.
    """

    line: int
    sku: str
    product: ProductData | None = None
    error: str = ""
    photos: tuple[PhotoSource, ...] | None = None
    fields: frozenset[str] | None = None
    photo_required: bool = False
    only_changes: bool = False
    is_last_readable: bool = False
    cells: tuple[tuple[str, ...], ...] = ()
    warnings: tuple[str, ...] = ()
    record: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A rejected row; or, of a row that was imported, a rejected photo (`photo` is set) or a warning (`is_warning`).

    Attributes:
        line: as in Row.
        sku: as in Row.
        reason: a fact, or any other sentence in English.
        photo: as the row names it.
        is_warning: whether the row was imported without a value.
    """

    line: int
    sku: str
    reason: str
    photo: str = ""
    is_warning: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain JSON of it, with the fact that `jobs.facts` words for each reader."""
        return {**asdict(self), "fact": fact_of(self.reason)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RowProblem:
        """The problem of `as_json`."""
        values = {name: value for name, value in content.items() if name != "fact"}
        return cls(**{**values, "reason": restored(content.get("fact"), content["reason"])})
