"""What looks like this photo? Answers from the folder that it is in, without a server: `python similar.py photo.jpg`."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as engine
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))
# The product's own code, as it was when the folder was exported.
from embeddings.encoders.base import Encoder  # noqa: E402
from embeddings.encoders.litert import LiteRTEncoder  # noqa: E402
from embeddings.encoders.mapped import MappedEncoder  # noqa: E402
from embeddings.errors import EmbeddingsError  # noqa: E402
from embeddings.parts.embed import embed_photo  # noqa: E402
from embeddings.parts.layout import LAYOUTS, Layout, Weights  # noqa: E402
from embeddings.vector_index.base import Distance  # noqa: E402
from pictures.decoding import DECODING_ERRORS, decode  # noqa: E402

Image.MAX_IMAGE_PIXELS = 16_000_000  # Pillow refuses to decode twice as many


class Similar:
    """The encoder, the shard and the cards of an exported folder. One process at a time can have the shard open."""

    def __init__(self, folder: Path = HERE) -> None:
        self.about = json.loads((folder / "edge.json").read_text())
        model, mapped = LiteRTEncoder(folder / self.about["model"]), self.about["map"]
        self.encoder: Encoder = MappedEncoder(folder / mapped, lambda _: model) if mapped else model
        self.layout = Layout(self.about["dim"], LAYOUTS[self.about["parts"]])
        self.weights, self.distance = Weights(**self.about["weights"]), Distance(self.about["distance"])
        try:
            self.shard = engine.EdgeShard.load(str(folder / self.about["shard"]))
        except Exception as error:  # the engine raises nothing narrower
            reason = "another process has it open" if "WouldBlock" in str(error) else error
            raise OSError(f"the shard cannot be opened: {reason}") from error
        self.cards = (folder / self.about["cards"]).open("rb")
        self.places = dict(self._places())  # the cards of 100,000 products take more memory than all else

    def _places(self) -> Iterator[tuple[int, int]]:
        place = 0
        for line in self.cards:
            if line.startswith(b'{"id": '):
                yield int(line[7 : line.index(b",")]), place
            place += len(line)

    def card(self, product_id: int) -> dict[str, Any]:
        self.cards.seek(self.places[product_id])
        return dict(json.loads(self.cards.readline().rstrip(b",\n")))

    def to(self, photo: Path, limit: int = 12, weights: Weights | None = None) -> list[dict[str, Any]]:
        """The most similar products, best first: one of each family, and one of those that show the same picture."""
        counted, photos = weights or self.weights, self.about["photos"]
        with Image.open(photo) as image:
            picture = decode(image, self.about["preprocessing"]["input_size"])
        asked = self.layout.query(embed_photo(self.encoder, self.layout, picture), counted).tolist()
        for wanted in (min(4 * limit, photos), min(40 * limit, photos), photos):
            request = engine.QueryRequest(
                limit=wanted, query=engine.Query.Nearest(asked), params=engine.SearchParams(hnsw_ef=max(64, 2 * wanted)),
                with_vector=True, with_payload=["product_id"],
            )  # fmt: skip
            points = sorted(self.shard.query(request), key=lambda each: (-self.distance.sign * each.score, each.id))
            found = self._distinct(points, limit)
            if len(found) == limit or wanted == photos:
                break
        return [{"score": self.layout.shown(score, counted), "product": card} for score, card in found]

    def _distinct(self, points: list[engine.ScoredPoint], limit: int) -> list[tuple[float, dict[str, Any]]]:
        found, families, vectors = [], set(), np.empty((0, self.layout.dim), np.float32)
        for point in points:
            card, vector = self.card((point.payload or {})["product_id"]), np.asarray(point.vector, np.float32)
            if card["family"] not in families and not (vectors @ vector >= self.about["same_picture_cosine"]).any():
                found.append((point.score, card))
                vectors = np.vstack([vectors, vector])
            families.add(card["family"])
        return found[:limit]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path, nargs="+")
    parser.add_argument("--limit", type=int, default=12, help="the maximum number of products")
    parser.add_argument("--weights", type=Weights.parse, help="as shape:1,colour:0.5; default: the collection's")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        similar = Similar()
        for photo in options.photo:
            results = similar.to(photo, max(1, options.limit), options.weights)
            table = [f"{each['score']:.4f}  {each['product']['sku']}  {each['product']['title']}" for each in results]
            print(json.dumps(results) if options.json else "\n".join(table))
    except (*DECODING_ERRORS, EmbeddingsError, Image.DecompressionBombError) as error:
        sys.exit(str(error))
