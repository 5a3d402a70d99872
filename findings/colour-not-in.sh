#!/usr/bin/env bash
# Package: milvus-lite 3.2.2 (with pymilvus 3.0.2).
#
# Behaviour: whether a product without a value passes a filter depends on how the filter is spelt. Comparisons and `like` follow SQL: NULL
# is neither equal nor unequal, also under `not`. `in`, `not in` and the functions of arrays take NULL for a value like others: it is not
# in the list, and an array that is NULL has length 0 and does not contain anything. The dynamic field does the same.
#
# Seen: three products, red, blue and one whose colour, tags and extra field are NULL.
#
#     colour != "red"                        blue
#     not (colour == "red")                  blue
#     not (colour like "r%")                 blue
#     colour not in ["red"]                  blue, none
#     not (colour in ["red"])                blue, none
#     extra != "red"                         blue
#     extra not in ["red"]                   blue, none
#     not array_contains(tags, "red")        blue, none
#     array_length(tags) == 0                none
#
# Why guesses are wrong: `!= "red"` and `not in ["red"]` are one condition in SQL and in Python, and programs that build
# filters write the first for one value and the second for several. Here the second value that a shopper unticks brings back every product
# without a colour, and a list with one value in it does so at once. Add `and colour is not null`, or spell it out with `!=` for each value.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check milvus-lite==3.2.2 pymilvus==3.0.2
TMPDIR="$work" "$work/venv/bin/python" - "$work/products.db" <<'PY'
import sys

from pymilvus import DataType, MilvusClient

SEEN = {
    'colour != "red"': {"blue"},
    'not (colour == "red")': {"blue"},
    'not (colour like "r%")': {"blue"},
    'colour not in ["red"]': {"blue", "none"},
    'not (colour in ["red"])': {"blue", "none"},
    'extra != "red"': {"blue"},
    'extra not in ["red"]': {"blue", "none"},
    'not array_contains(tags, "red")': {"blue", "none"},
    "array_length(tags) == 0": {"none"},
}
client = MilvusClient(sys.argv[1])
schema = client.create_schema(auto_id=False, enable_dynamic_field=True)
schema.add_field("sku", DataType.VARCHAR, is_primary=True, max_length=20)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
schema.add_field("colour", DataType.VARCHAR, max_length=20, nullable=True)
schema.add_field(
    "tags", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=4, max_length=20, nullable=True
)
index = client.prepare_index_params()
index.add_index("vector", index_type="FLAT", metric_type="COSINE")
client.create_collection("products", schema=schema, index_params=index)
client.insert(
    "products",
    [
        {"sku": "red", "vector": [1.0, 0.0], "colour": "red", "tags": ["red"], "extra": "red"},
        {"sku": "blue", "vector": [0.0, 1.0], "colour": "blue", "tags": ["blue"], "extra": "blue"},
        {"sku": "none", "vector": [1.0, 1.0], "colour": None, "tags": None, "extra": None},
    ],
)
found = {}
for condition in SEEN:
    hits = client.search("products", [[1.0, 1.0]], filter=condition, limit=3)[0]
    found[condition] = {hit["sku"] for hit in hits}
    print(f"{condition:38} {', '.join(sorted(found[condition]))}")
client.close()
sys.exit(0 if found == SEEN else "it behaves in another way now")
PY
