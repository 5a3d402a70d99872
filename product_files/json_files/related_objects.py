"""What objects of a JSON file need of others of it: a variant of its product, a product of the one that lists it as a variant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from product_files.json_files.api_systems.base import Content, Relations
from product_files.json_files.json_objects import json_objects, objects_in
from product_files.json_files.json_source import JsonUnreadable
from product_files.temporary_database import TemporaryDatabase, key_text, text_key


@contextmanager
def joined_objects(path: Path, encoding: str, relations: Relations | None) -> Iterator[Iterator[Content]]:
    """The objects of a file, each with what it needs of others. The file is read twice if there are relations.

    Args:
        path: the file.
        encoding: of the file.
        relations: between its objects; None if each stands alone.

    Yields:
        The objects, as `json_objects` yields them.

    Raises:
        InvalidSource: the file cannot be opened.
        StorageUnavailable: there is no space for what is kept.
    """
    if relations is None:
        yield json_objects(path, encoding)
        return
    with closing(_Kept()) as kept:
        # Whoever reads the objects says where the file is damaged.
        with suppress(JsonUnreadable):
            for content in json_objects(path, encoding):
                kept.add(relations.kept(content))
            for content in objects_in(path, encoding, relations.beside) if relations.beside else ():
                kept.add(relations.kept(content))
        yield (relations.joined(content, kept.get) for content in json_objects(path, encoding))


class _Kept:
    def __init__(self) -> None:
        self._database = TemporaryDatabase(
            "CREATE TABLE kept (key BLOB PRIMARY KEY, content BLOB) WITHOUT ROWID", contents="products with variants"
        )

    def add(self, contents: Iterable[tuple[str, Content]]) -> None:
        self._database.write(
            "INSERT OR IGNORE INTO kept VALUES (?, ?)",
            [(text_key(key), text_key(json.dumps(content))) for key, content in contents if key],
        )

    def get(self, key: str) -> Mapping[str, Any]:
        found = self._database.first("SELECT content FROM kept WHERE key = ?", text_key(key)) if key else None
        content: dict[str, Any] = json.loads(key_text(found[0])) if found else {}
        return content

    def close(self) -> None:
        self._database.close()
