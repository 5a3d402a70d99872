#!/usr/bin/env bash
# Package: chromadb 1.5.9 (a vector database in a process).
#
# Behaviour: `upsert` does not replace a record. The new vector is written, the new metadata are laid over the old ones, and a key or a document
# that is no longer given stays, beside a vector that was made without it. `add` with an id that is there changes nothing and raises
# nothing. A key goes by a value of None, metadata of None leave all of them, and a document goes with the record alone.
#
# Seen: a jug at 20, on sale, with the text "Blue jug" and the vector (1, 0); what is stored after each call, one after the other.
#
#     call                                          price    sale    text        vector    found by sale = true
#     add, price 20, sale, "Blue jug"               20       true    Blue jug    (1, 0)    yes
#     upsert, price 25, vector (0, 1)               25       true    Blue jug    (0, 1)    yes
#     add, price 30, "Red jug", vector (1, 1)       25       true    Blue jug    (0, 1)    yes
#     upsert with metadata None                     25       true    Blue jug    (0, 1)    yes
#     upsert, price 25, sale None                   25       -       Blue jug    (0, 1)    no
#     delete, add, price 25                         25       -       -           (0, 1)    no
#
# Why guesses are wrong: an upsert is an insert or an update of the whole record in other vector databases, whose points lose what is not
# sent, and `add` with a known id is an error or a replacement in nearly all stores. A feed that leaves `sale` out when the sale is over is
# the usual one; here the product stays in the filter for ever, while its price and its vector are fresh. An importer that uses `add` runs
# well each night and changes nothing after the first one.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check chromadb==1.5.9
TMPDIR="$work" ANONYMIZED_TELEMETRY=False "$work/venv/bin/python" - <<'PY'
import sys

import chromadb

products = chromadb.EphemeralClient().create_collection("products", embedding_function=None)
steps = []


def step(name):
    record = products.get(ids=["jug"], include=["metadatas", "documents", "embeddings"])
    metadata, text = record["metadatas"][0], record["documents"][0]
    vector = tuple(float(number) for number in record["embeddings"][0])
    found = products.get(where={"sale": True})["ids"] == ["jug"]
    steps.append((metadata.get("price"), metadata.get("sale"), text, vector, found))
    print(f"{name:28}", *steps[-1], sep="   ")


def written(call, vector, metadata, text=None):
    documents = {} if text is None else {"documents": [text]}
    getattr(products, call)(ids=["jug"], embeddings=[list(vector)], metadatas=[metadata], **documents)


written("add", (1, 0), {"price": 20, "sale": True}, "Blue jug")
step("add")
written("upsert", (0, 1), {"price": 25})
step("upsert without sale, text")
written("add", (1, 1), {"price": 30}, "Red jug")
step("add again")
written("upsert", (0, 1), None)
step("upsert with metadata None")
written("upsert", (0, 1), {"price": 25, "sale": None})
step("upsert with sale None")
products.delete(ids=["jug"])
written("add", (0, 1), {"price": 25})
step("delete, add")
is_as_seen = steps == [
    (20, True, "Blue jug", (1.0, 0.0), True),
    (25, True, "Blue jug", (0.0, 1.0), True),
    (25, True, "Blue jug", (0.0, 1.0), True),
    (25, True, "Blue jug", (0.0, 1.0), True),
    (25, None, "Blue jug", (0.0, 1.0), False),
    (25, None, None, (0.0, 1.0), False),
]
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
