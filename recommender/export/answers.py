"""The answers of an export, as they are kept beside its file: what the next export compares the catalogue with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True, slots=True)
class ExportedResult:
    """One recommended product.

    Attributes:
        id: of the product.
        sku: its SKU.
        handle: its family code, in a shop of Shopify the handle; its slug without one.
        score: as users see it; None in a fallback.
        confidence: 0 to 1; None without a calibration.
    """

    id: int
    sku: str
    handle: str
    score: float | None
    confidence: float | None


@dataclass(frozen=True, slots=True)
class ExportedAnswer:
    """The recommendations of one product.

    Attributes:
        id: of the product.
        sku: its SKU.
        handle: as in ExportedResult.
        signature: of everything by which the product counts in any answer; see `recommender.export.changes`.
        fallback: whether the product had no vector.
        floor: score of the last result in the form of the index, higher is nearer; None if there was room for more.
        results: best first.
    """

    id: int
    sku: str
    handle: str
    signature: str
    fallback: bool
    floor: float | None
    results: tuple[ExportedResult, ...]


class StateFile:
    """The answers of the last export, one a line, by ascending product id, behind a line that says what they are answers to."""

    def __init__(self, path: Path) -> None:
        """Name the file; it need not exist."""
        self.path = path

    def is_of(self, header: dict[str, Any]) -> bool:
        """Whether the file holds answers to this. header: plain JSON."""
        try:
            with self.path.open(encoding="utf-8") as file:
                found: bool = json.loads(file.readline()) == header
        except (FileNotFoundError, ValueError):
            return False
        return found

    def answers(self) -> Iterator[ExportedAnswer]:
        """The answers, by ascending product id."""
        with self.path.open(encoding="utf-8") as file:
            file.readline()
            for line in file:
                values = json.loads(line)
                results = tuple(ExportedResult(**each) for each in values.pop("results"))
                yield ExportedAnswer(**values, results=results)


def write_header(file: IO[str], header: dict[str, Any]) -> None:
    """Begin a state file. header: plain JSON."""
    file.write(json.dumps(header) + "\n")


def write_answer(file: IO[str], answer: ExportedAnswer) -> None:
    """Add an answer to a state file."""
    file.write(json.dumps(asdict(answer), ensure_ascii=False) + "\n")
