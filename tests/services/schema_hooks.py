"""Hooks of schemathesis: useful files to send, and rejections that the schema cannot describe.

The folder that it runs in has photos.zip, a training set, and ids.json, the ids of what exists.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase
from schemathesis.openapi.checks import RejectedPositiveData, UseAfterFree

_TITLES = st.text(max_size=20)
_PRICES = st.one_of(st.integers(), st.floats(), st.text(max_size=5))


def _files(text: str) -> st.SearchStrategy[bytes]:
    """This file, with titles and prices that may be anything."""
    return st.builds(text.format, _TITLES, _PRICES).map(lambda filled: filled.encode("utf-8", "replace"))


_TABLE = "sku,title,category,price\nm1,Mug,Home > Mugs,5\nm2,{},Home,{}\n"
_LINE = '{{"sku": "m3", "title": "{}", "price": {}}}\n'
_FEED = "<rss><channel><item><g:id>m4</g:id><title>{}</title><g:price>{}</g:price></item></channel></rss>"
for _media_type, _files_of_this_type in {
    "text/csv": _files(_TABLE),
    "text/tab-separated-values": _files(_TABLE.replace(",", "\t")),
    "application/xml": _files(_FEED),
    "application/jsonl": _files(_LINE),
    "application/x-ndjson": _files(_LINE),
    "application/gzip": st.binary(min_size=1, max_size=200),
    "application/zip": st.just(Path("photos.zip").read_bytes()) | st.binary(min_size=1, max_size=200),
}.items():
    schemathesis.openapi.media_type(_media_type, _files_of_this_type)

# The schema says that a file is sent, not what is in it.
_OF_FILES = {"image-rejected", "archive-rejected", "unusable-catalogue", "unusable-photos", "invalid-judgements"}


# Of longer texts the limit is left out: schemathesis makes one pattern of limit and characters, and takes seconds to compile it.
_LONGEST_TEXT = 5_000


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Leave out the limits of long texts, which `tests.catalog` and `tests.recommender` reach."""
    members: list[Any] = [raw_schema]
    for member in members:
        if isinstance(member, dict):
            if isinstance(limit := member.get("maxLength"), int) and limit > _LONGEST_TEXT:
                del member["maxLength"]
            members += member.values()
        elif isinstance(member, list):
            members += member


# By parameter of a path.
_IDS = json.loads(Path("ids.json").read_text())


# Wrong values of queries' parameters that were sent: method, path, parameter and value.
_SENT: set[tuple[str, ...]] = set()


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Send each wrong value of a query's parameter once to an address: it comes beside all other parameters, and alone."""
    if case.meta is None or case.meta.phase.name != TestPhase.COVERAGE or case.meta.generation.mode.is_positive:
        return True
    data = case.meta.phase.data
    if data.parameter_location != ParameterLocation.QUERY:
        return True
    name = data.parameter or data.scenario.value
    sent = (case.operation.method, case.operation.path, name, repr((case.query or {}).get(name)))
    is_new = sent not in _SENT
    _SENT.add(sent)
    return is_new


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    """A right request goes to what exists, has a key of its own, and no parameter twice; what others go to stays."""
    if case.operation.path == "/api/rule-sets/{name}" and case.path_parameters.get("name") == _IDS["name"]:
        case.path_parameters["name"] = "another"
    if case.meta is not None and case.meta.generation.mode.is_positive:
        if "slug" in (case.path_parameters or {}):
            case.path_parameters["slug"] = "all"
        if case.operation.path.startswith(("/api/rule-sets/{name}/rules", "/api/jobs/{job_id}/")):
            case.path_parameters |= {name: _IDS[name] for name in case.path_parameters}
            if case.operation.method.upper() == "DELETE" and _IDS["spare_rules"]:
                case.path_parameters["rule_id"] = _IDS["spare_rules"].pop()
        if "Idempotency-Key" in (case.headers or {}):
            case.headers["Idempotency-Key"] = uuid4().hex
        if isinstance(case.body, dict) and case.query:
            case.query = {name: value for name, value in case.query.items() if name not in case.body}
    return case


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether it is one."""
    if response.status_code == HTTPStatus.REQUEST_URI_TOO_LONG:
        return False  # rejected by the web server, before the API is called
    if isinstance(failure, UseAfterFree):
        return "/api/jobs/" not in failure.message  # a job that was cancelled can be asked for all the same
    if isinstance(failure, AcceptedNegativeData) and case.operation.label == "POST /api/products:batch":
        return False  # a wrong change is reported in its line, and the others are made
    if isinstance(failure, AcceptedNegativeData) and case.media_type == "multipart/form-data":
        # In a form all is text: a brand may be called "false", and an attribute "{}".
        return not any(text in failure.message for text in ("(was string, became", "attribute.<name>: Incorrect type"))
    return not (isinstance(failure, RejectedPositiveData) and _is_beyond_the_schema(case, response.json()))


def _is_beyond_the_schema(case: Any, problem: dict[str, Any]) -> bool:
    kind = problem["type"].rpartition(":")[2]
    if kind == "invalid-parameters":
        return all(_depends(case, error["parameter"], error["detail"]) for error in problem["errors"])
    return kind in _OF_FILES


# By parameter, how its errors begin that no schema can say. Of a member of a document: its last name. A quote begins the name of
# a product that there is not.
_BEYOND = {
    "min_price": ("is above max_price",),
    "mode": ("cannot be given with weights",),
    "weights": ("at least one weight has to be above 0", "names "),
    "photo": ("is missing: send a photo", "is neither a file"),
    "text": ("is missing: give words",),
    "title": ("is missing: send the title",),
    "crop": ("must be x,y,width,height",),
    **dict.fromkeys(("liked", "disliked"), ("'", '"', "the product ", "needs a photo")),
    **dict.fromkeys(
        ("min_score", "max_score", "min_confidence", "diversity"), ("applies to a search by a photo alone",)
    ),
    "source": ("is required with deactivate_missing",),
    "brand": ("names no brand",),
    "category": ("names no category",),
    "currency": ("names no currency",),
    "tag": ("names no tag",),
    "not_brand": ("names no brand",),
    "not_category": ("names no category",),
    "collection": ("",),
    "name": ("is taken",),
    **dict.fromkeys(("address", "map", "set"), ("",)),
    "target": ("",),
    "backbone": ("",),
    "kind": ("must be one of",),
    "cursor": ("is not a cursor of this list",),
    "page": ("is a page number, and pages by cursor",),
    "clicks": ("is for a request without a file",),
    "judgements": ("is missing: send a CSV file",),
    "categories": ("is sent beside category", "there is no category", "name categories", "is missing"),
    "photos": ("",),
    "image_links": ("",),
    **dict.fromkeys(
        ("sku", "result_sku", "result_skus"), ("no product has this SKU", "has control characters", "ends with a slash")
    ),
}


def _depends(case: Any, name: str, detail: str) -> bool:
    """Whether a parameter is refused for what a schema cannot say."""
    form = case.body if isinstance(case.body, dict) else {}
    if detail == "is given more than once":
        return name in (case.query or {}) and name in form
    if name.partition(".")[0] == "parameters":
        return True  # each kind of rule has its own
    if name.startswith("attribute."):
        return detail.startswith("names no ")
    if name == "attributes" and case.media_type == "multipart/form-data":
        return True  # a text that is not JSON
    return detail.startswith(_BEYOND.get(name.rpartition(".")[2].partition("[")[0], ()))
