"""Builds the folder: the model, a shard of Qdrant Edge, the cards, the runner, and with LiteRT.js a page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np
from django.conf import settings

from catalog.api.serializers import CARD_SIDES, product_cards
from catalog.cards import ProductCard, visible_cards
from catalog.thumbnails import thumbnail
from embeddings.backends import encoder_files, encoder_of
from embeddings.encoders.preprocessing import parameters
from embeddings.errors import EmbeddingsError
from embeddings.parts.describe import BASIS
from embeddings.parts.layout import LAYOUTS
from embeddings.private_index import copy_shard
from embeddings.selectors import LiveCollection
from embeddings.vector_index.base import Distance, Point
from jobs.progress import ProgressCallback
from pictures.photos import ImageRejected
from recommender.filtering import SAME_PICTURE_COSINE
from stores.replacing import replaced

_FORMAT = 1
ABOUT = "edge.json"
_MODEL, _MAP, _SHARD, _CARDS, _PHOTOS, _LIB = "model.tflite", "map.npz", "shard", "cards.json", "photos", "lib"
_PAGE, _VECTORS, _POINTS = "page", "vectors.f32", "points.json"
_FILES = Path(__file__).parent / "files"
_RUNNER, _PAGE_FILES = "similar.py", ("index.html", "page.js")
# What the runner needs of the project; none of it imports Django.
_MODULES = (
    "pictures.colours", "pictures.dominant_colour", "pictures.decoding",
    "embeddings.errors", "embeddings.encoders.base", "embeddings.encoders.litert", "embeddings.encoders.mapped",
    "embeddings.encoders.preprocessing", "embeddings.parts.describe", "embeddings.parts.embed", "embeddings.parts.foreground",
    "embeddings.parts.layout", "embeddings.vector_index.base",
)  # fmt: skip
# What it needs of packages.
REQUIRED = ("ai-edge-litert", "numpy", "pillow", "qdrant-edge-py")
# What a page needs of LiteRT.js on one thread, in browsers with and without relaxed SIMD.
_LITERT_JS = (
    "core/dist/index.js", "wasm-utils/dist/index.js",
    *(f"core/wasm/litert_wasm_{kind}internal.{suffix}" for kind in ("", "compat_") for suffix in ("js", "wasm")),
)  # fmt: skip


class NothingToExport(EmbeddingsError):
    """The collection has no photo of a visible product that is embedded."""


class NoPage(EmbeddingsError):
    """A page cannot be made of this collection, or with these files."""


@dataclass(frozen=True, slots=True)
class EdgeOptions:
    """What is exported beside the model, the shard, the cards and the runner.

    Attributes:
        photos: whether a small photo of each product is.
        litert_js: the folder `@litertjs` of an npm installation, for a page in the browser; None: no page.
    """

    photos: bool = False
    litert_js: Path | None = None


def export_edge(
    folder: Path, live: LiveCollection, options: EdgeOptions, on_progress: ProgressCallback | None = None
) -> Mapping[str, Any]:
    """Write the folder. It is complete or as it was: it is made beside its place and renamed at the end.

    Args:
        folder: where; what stands there is replaced.
        live: the collection.
        options: what is exported.
        on_progress: called with the stage "copying the index", by photos.

    Returns:
        What its `edge.json` says.

    Raises:
        NothingToExport: there is nothing to find.
        NoPage: the collection or LiteRT.js is not as a page needs it.
        EncoderUnavailable: the encoder's file cannot be read.
        EncoderMismatch: it is another model than that of the vectors.
        IndexUnavailable: the shard cannot be written.
        OSError: a file cannot be written.
    """
    input_size = encoder_of(live).input_size
    with encoder_files(live.encoder) as (model, mapping), replaced(folder) as made:
        if options.litert_js is not None:
            _copy_litert_js(options.litert_js, made / _PAGE, live, is_mapped=mapping is not None)
        shutil.copyfile(model, made / _MODEL)
        if mapping is not None:
            shutil.copyfile(mapping, made / _MAP)
        with _Products(made, live, options) as products:
            copy_shard(live, made / _SHARD, products.chosen, on_progress)
        if not products.photos:
            raise NothingToExport(f"the collection {live.slug!r} has no embedded photo of a visible product")
        about = {
            "format": _FORMAT,
            "collection": live.slug,
            "encoder": live.label,
            "fingerprint": live.fingerprint,
            "model": _MODEL,
            "map": _MAP if mapping is not None else None,
            "shard": _SHARD,
            "cards": _CARDS,
            "dim": live.dim,
            "parts": next(number for number, parts in LAYOUTS.items() if parts == live.layout.parts),
            "weights": live.weights.as_dict(),
            "distance": live.index.distance.value,
            "same_picture_cosine": SAME_PICTURE_COSINE,
            "preprocessing": parameters(input_size),
            "photos": products.photos,
            "products": len(products.written),
        }
        (made / ABOUT).write_text(json.dumps(about, indent=1) + "\n")
        _write_runner(made)
    return about


class _Products:
    """Writes the cards of the products whose points are chosen, and for a page the vectors."""

    def __init__(self, made: Path, live: LiveCollection, options: EdgeOptions) -> None:
        self._live, self._photos = live, made / _PHOTOS if options.photos else None
        self._stack = ExitStack()
        self._cards = self._stack.enter_context((made / _CARDS).open("w", encoding="utf-8"))
        self._page = made / _PAGE if options.litert_js is not None else None
        self._vectors = self._page and self._stack.enter_context((self._page / _VECTORS).open("wb"))
        self._points: list[int] = []
        # Ids of products that have a card, or may not be shown.
        self.written: set[int] = set()
        self._hidden: set[int] = set()
        self.photos = 0

    def __enter__(self) -> Self:
        # A card a line: the runner reads those that it shows.
        self._cards.write("[\n")
        if self._photos is not None:
            self._photos.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        self._cards.write("\n]\n")
        if self._page is not None:
            (self._page / _POINTS).write_text(json.dumps(self._points))
        self._stack.close()

    def chosen(self, points: list[Point]) -> list[Point]:
        """Those of visible products."""
        ids = {point.payload["product_id"] for point in points} - self.written - self._hidden
        cards = visible_cards(ids)
        self._hidden |= ids - cards.keys()
        self._write([cards[each] for each in sorted(cards)])
        kept = [point for point in points if point.payload["product_id"] in self.written]
        self.photos += len(kept)
        if self._vectors and kept:
            shapes, _ = self._live.layout.split(np.stack([point.vector for point in kept]))
            self._vectors.write(shapes.astype("<f4").tobytes())
            self._points += [point.payload["product_id"] for point in kept]
        return kept

    def _write(self, cards: Sequence[ProductCard]) -> None:
        for card, document in zip(cards, product_cards(cards, settings.PUBLIC_URL), strict=True):
            document["family"] = card.family
            if self._photos is not None:
                document["photo"] = self._photo(card)
            self._cards.write(",\n" * bool(self.written) + json.dumps(document))
            self.written.add(card.id)

    def _photo(self, card: ProductCard) -> str | None:
        """Its place in the folder; None without a photo that can be read."""
        name = f"{_PHOTOS}/{card.id}.webp"
        try:
            small = thumbnail(card.image, CARD_SIDES[0]) if card.image else None
        except (FileNotFoundError, ImageRejected):
            return None
        if small is not None and self._photos is not None:
            (self._photos.parent / name).write_bytes(small)
        return name if small is not None else None


def _write_runner(made: Path) -> None:
    lib = made / _LIB
    for name in _MODULES:
        package, _, own_name = name.rpartition(".")
        folder = lib.joinpath(*package.split("."))
        folder.mkdir(parents=True, exist_ok=True)
        for each in (folder, *folder.parents):
            if each == lib:
                break
            (each / "__init__.py").touch()
        shutil.copyfile(str(import_module(name).__file__), folder / f"{own_name}.py")
    shutil.copyfile(BASIS, lib / "embeddings" / "parts" / BASIS.name)
    shutil.copyfile(_FILES / _RUNNER, made / _RUNNER)
    (made / "requirements.txt").write_text("".join(f"{name}=={version(name)}\n" for name in REQUIRED))


def _copy_litert_js(source: Path, page: Path, live: LiveCollection, *, is_mapped: bool) -> None:
    """Begin the page, with what it runs the model by."""
    if live.index.distance is not Distance.COSINE:
        raise NoPage(f"the page compares by cosine, and the collection {live.slug!r} by {live.index.distance}")
    if is_mapped:
        raise NoPage(f"the page runs a model alone, and {live.label} has a map behind it")
    missing = [name for name in _LITERT_JS if not (source / name).is_file()]
    if missing:
        raise NoPage(f"{source} is not the folder @litertjs of LiteRT.js: there is no file {missing[0]}")
    for name in _LITERT_JS:
        place = page / "litertjs" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, place)
    for name in _PAGE_FILES:
        shutil.copyfile(_FILES / name, page / name)
