"""Puts a text encoder into use for a collection, or out of use: its index of texts is rebuilt and switched to."""

from __future__ import annotations

from pathlib import Path

from embeddings.backends import get_text_encoder
from embeddings.encoders.text import PREFIX, fingerprint_of, name_of
from embeddings.errors import EncoderUnavailable, NoActiveVersion
from embeddings.generations import build_generation
from embeddings.models import Collection
from embeddings.selectors import clear_live_collection_cache
from embeddings.versions import store_folder
from jobs.progress import ProgressCallback
from stores import base as stores


def known_text_encoders() -> list[str]:
    """The names of the text encoders in the store of encoders."""
    try:
        folders, _ = stores.encoders().listdir("")
    except FileNotFoundError:
        return []
    return sorted(name for name in folders if name.startswith(PREFIX))


def register_text_encoder(folder: Path) -> str:
    """Move the files of a text encoder into the store of encoders.

    Args:
        folder: of `versions.create_staging_folder`, with the files.

    Returns:
        Its name, which is that of its files: the same ones are registered once.

    Raises:
        EncoderUnavailable: a file is missing.
        StorageUnavailable: the store does not take them.
    """
    name = name_of(fingerprint_of(folder))
    if stores.encoders().is_empty(name):
        folder.chmod(0o755)
        store_folder(folder, name)
    return name


def use_text_encoder(collection: Collection, name: str, on_progress: ProgressCallback | None = None) -> int:
    """Build a collection's index with a text encoder, or without one, and switch to it. Searches go on meanwhile.

    Args:
        collection: with an active version.
        name: of `register_text_encoder`; "" for words alone.
        on_progress: see `build_generation`.

    Returns:
        How many texts the new index has.

    Raises:
        NoActiveVersion: the collection has none.
        EncoderUnavailable: there is no such text encoder, or it cannot be loaded.
        EncoderMismatch: its files were replaced.
        BuildOvertaken: another process has begun to build the same version meanwhile.
        IndexUnavailable: the index does not answer.
    """
    version = collection.active_version
    if version is None:
        raise NoActiveVersion(collection.slug)
    if name:
        if name not in known_text_encoders():
            known = ", ".join(known_text_encoders()) or "none"
            raise EncoderUnavailable(
                f"there is no text encoder {name!r} in {stores.encoders().place}; there is: {known}"
            )
        get_text_encoder(name).encode([collection.name])
    former = collection.text_encoder
    _save(collection, name)
    try:
        build_generation(version, on_progress)
    except BaseException:
        _save(collection, former)
        raise
    clear_live_collection_cache()
    return version.texts.count()


def _save(collection: Collection, name: str) -> None:
    collection.text_encoder = name
    collection.save(update_fields=["text_encoder"])
