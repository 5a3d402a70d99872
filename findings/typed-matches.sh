#!/usr/bin/env bash
# Package: qdrant-edge-py 0.9.0 (Qdrant's engine inside a Python process).
#
# Behaviour: how a filter compares values depends on things that it does not name.
# - `MatchValue(True)` finds points whose payload holds the integer 1, and none that holds True; with an index of type bool, too.
# - Under an integer payload index 19.0 equals 19; without an index it does not.
# - Under an integer payload index a range "19 or more" does not find 19.5; without an index it does.
#
# Seen: points with True, 1, False, 0, and points with 19, 19.0 and 19.5.
#
#                         finds, without an index    finds, with an index
#     match True          1                          1
#     match False         0                          0
#     match 19            19                         19, 19.0
#     range 19 or more    19, 19.0, 19.5             19, 19.0
#
# Why guesses are wrong: a boolean goes in and comes out as a boolean, so one expects to find it by itself (in Python True is an integer,
# and the binding takes it for one). And a payload index is made for speed: that it changes which points pass a filter is
# not expected, least of all that a test without the index sees points that production, which has it, never finds.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check qdrant-edge-py==0.9.0
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import sys
import tempfile

import qdrant_edge as edge


def found(values, condition, schema=None):
    """The values of the points that pass."""
    config = edge.EdgeConfig(vectors=edge.EdgeVectorParams(size=2, distance=edge.Distance.Cosine))
    shard = edge.EdgeShard.create(tempfile.mkdtemp(), config)
    if schema is not None:
        shard.update(edge.UpdateOperation.create_field_index("value", schema))
    points = [edge.Point(number, [1.0, 0.0], {"value": value}) for number, value in enumerate(values)]
    shard.update(edge.UpdateOperation.upsert_points(points))
    records, _ = shard.scroll(edge.ScrollRequest(limit=10, filter=edge.Filter(must=[condition])))
    return [repr(values[record.id]) for record in sorted(records, key=lambda record: record.id)]


def equals(value):
    return edge.FieldCondition("value", match=edge.MatchValue(value))


BOOLEANS, NUMBERS = [True, 1, False, 0], [19, 19.0, 19.5]
BOOL, INTEGER = edge.PayloadSchemaType.Bool, edge.PayloadSchemaType.Integer
at_least = edge.FieldCondition("value", range=edge.RangeFloat(gte=19.0))
expected = [
    ("match True", BOOLEANS, equals(True), BOOL, ["1"], ["1"]),
    ("match False", BOOLEANS, equals(False), BOOL, ["0"], ["0"]),
    ("match 19", NUMBERS, equals(19), INTEGER, ["19"], ["19", "19.0"]),
    ("range 19 or more", NUMBERS, at_least, INTEGER, ["19", "19.0", "19.5"], ["19", "19.0"]),
]
unchanged = True
print(f"{'':18}{'without an index':24}with an index")
for name, values, condition, schema, without, with_index in expected:
    seen = found(values, condition), found(values, condition, schema)
    print(f"{name:18}{', '.join(seen[0]):24}{', '.join(seen[1])}")
    unchanged &= seen == (without, with_index)
sys.exit(0 if unchanged else "This is no longer what the head of the script says.")
PY
