"""A text encoder of a few words for tests, in the files that a real one has."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from embeddings.encoders.text import MODEL, PIECES, TABLE, TOKENIZER, fingerprint_of, name_of

# Words that mean the same, by the place of their entry; the last place is that of every other word.
MEANINGS: Mapping[int, Sequence[str]] = {0: ("sofa", "couch"), 1: ("lamp", "light"), 2: ("mug", "cup")}
DIM = 4
LENGTH = 6
# Other words of a title count little.
_KNOWN, _OTHER = 100, 20
# The mean of float32 [n, 4] over n: tf.reduce_mean as a LiteRT file.
_MEAN = (
    "eNp1U7FOG0EQHZuLscByQLHAUly4SEF1MSRCkZUC44BAsk1ErLSXE7cJK9lrdL6zUvAJFJQUfEDKUKWhoKDgA6hQKiq+gsvM7NzFiZI9P916bufN2ze7NQDo"
    "b3deVaAONahCBRaghLEiODgHjAGcIh4Q33MAV4iTGQD8AU5xNY05zqKcOfxXkry3iKeIsQon2nzxAvXZjwcR5zmIsyRJ8jIvIkZxdBRHXgOEm+L3j0lC7wLi"
    "SKsDNQagnNfy/SdyPJH5M0R7r/dxa//D7l7P6271W+9a/RZyW21FWZeuHWrjhbGJ9FB5ExWO9chwnWvEJeIbaUREkmMSq+VTtm/SXc64KfaCowWOFSQP2JPU"
    "W4f9afZvLo5/mE3yMfWA1q+5a6suOnAntYhz1V13G/B7ELPzjzpprR30rIMg77ud3f16e2Rwf5EKXPa1wqvKmSLiKEuc+naIGJDfwjn0tUl7kuYusbYSzEtu"
    "1ZZ+XhUOq22WtVFqTvaZF405QV7eNMiLW8TXjGOJNYKotGOWa1PagvhDeXXEBnq2iO/3fhjpCLupgrY/GDQbU3Uc4aWzvvwf3orsU7TmqafnyE3fu8o3L0MV"
    "xAdUwNMm0HwmYYoXslsE7ME0b11AWt5IjUR67fBjvfzrznj27PNW/thLegdL3At7Oqjyiq258gu+sHdC"
)


def make_text_encoder(root: Path) -> str:
    """Write a text encoder into a folder of encoders. Returns its name."""
    folder = root / "making"
    folder.mkdir(parents=True)
    vocabulary = {"[UNK]": 0}
    table = [[0, 0, 0, _OTHER]]
    for place, words in MEANINGS.items():
        for word in words:
            vocabulary[word] = len(table)
            table.append([_KNOWN * (place == entry) for entry in range(DIM)])
    (folder / MODEL).write_bytes(zlib.decompress(base64.b64decode(_MEAN)))
    np.save(folder / TABLE, np.array(table, np.int8))
    np.savez(
        folder / PIECES,
        scale=np.full(len(table), 1 / _KNOWN, np.float32),
        positions=np.zeros((LENGTH, DIM), np.float32),
    )
    tokenizer = Tokenizer(models.WordLevel(vocabulary, "[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    (folder / TOKENIZER).write_text(tokenizer.to_str(), encoding="utf-8")
    name = name_of(fingerprint_of(folder))
    folder.rename(root / name)
    return name
