"""Text collections with relevance judgements in REAL_DATA, read for the benches of text retrieval."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from embeddings.text.bm25 import ProductText


@dataclass(frozen=True)
class TextCollection:
    """Documents, queries and judgements.

    Attributes:
        name: of the collection.
        documents: by id.
        queries: texts by id.
        judgements: gain by document id, by query id; 0 for one that was judged not relevant. Queries without a gain are left out.
    """

    name: str
    documents: Mapping[int, ProductText]
    queries: Mapping[str, str]
    judgements: Mapping[str, Mapping[int, float]]


def read_all(data: Path) -> list[TextCollection]:
    """The collections. data: REAL_DATA."""
    return [chorus_icecat(data), cranfield(data), med(data)]


def chorus_icecat(data: Path) -> TextCollection:
    """Product queries, graded 0 to 3, against all products that occur in the judgements."""
    documents: dict[int, ProductText] = {}
    judged: defaultdict[str, dict[int, float]] = defaultdict(dict)
    path = data / "data/chorus_icecat_ratings/Broad_Query_Set_individual_ratings.csv"
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            number = int(row["docid"])
            documents[number] = ProductText({"title": row["name"], "description": row["description"]})
            judged[row["query"]][number] = float(row["final_rating"] or 0)
    return _judged("chorus_icecat", documents, {query: query for query in judged}, judged)


def cranfield(data: Path) -> TextCollection:
    """Abstracts on aerodynamics. Codes 1 (best) to 4 (least) count 4 to 1; -1 is unexplained and counts as unjudged."""
    folder = data / "data/ir_cranfield"
    documents = {
        number: ProductText({"title": parts.get("T", ""), "description": parts.get("W", "")})
        for number, parts in _records(folder / "cran.all.1400").items()
    }
    # A judgement names the ordinal of its query, not its number.
    queries = {str(i): parts["W"] for i, parts in enumerate(_records(folder / "cran.qry").values(), 1)}
    judged: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for line in (folder / "cranqrel").read_text().splitlines():
        query, document, code = line.split()
        if int(code) > 0:
            judged[query][int(document)] = 5 - int(code)
    return _judged("Cranfield", documents, queries, judged)


def med(data: Path) -> TextCollection:
    """Medical abstracts with binary judgements."""
    folder = data / "data/ir_med"
    documents = {
        number: ProductText({"description": parts["W"]}) for number, parts in _records(folder / "MED.ALL").items()
    }
    queries = {str(number): parts["W"] for number, parts in _records(folder / "MED.QRY").items()}
    judged: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for line in (folder / "MED.REL").read_text().splitlines():
        query, document, gain = line.split()
        judged[query][int(document)] = float(gain)
    return _judged("MED", documents, queries, judged)


def _judged(
    name: str,
    documents: Mapping[int, ProductText],
    queries: Mapping[str, str],
    judgements: Mapping[str, Mapping[int, float]],
) -> TextCollection:
    kept = {query: gains for query, gains in judgements.items() if any(gain > 0 for gain in gains.values())}
    return TextCollection(name, documents, {query: queries[query] for query in kept}, kept)


def _records(path: Path) -> dict[int, dict[str, str]]:
    """Parts by their letter (`.W`) of each record (`.I 17`) of a file in the format of SMART."""
    records: dict[int, dict[str, str]] = {}
    for record in re.split(r"^\.I\s+", path.read_text(encoding="latin-1"), flags=re.MULTILINE)[1:]:
        number, *rest = re.split(r"^\.([A-Z])\s*$", record, flags=re.MULTILINE)
        records[int(number)] = dict(zip(rest[::2], rest[1::2], strict=True))
    return records
