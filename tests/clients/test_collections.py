"""The collections of requests for Postman and Bruno: complete, and each GET of them answered by a running shop."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from django.core.management import call_command

from accounts import keys
from accounts.models import ApiKey
from catalog.models import Feed
from jobs.models import Job
from lookalike.clients.openapi import operations, schema_document
from recommender.rules.services import save_rule, save_set
from tests.clients.conftest import ServedShop

Requests = list[tuple[str, str, list[tuple[str, str]]]]


def export(kind: str, folder: Path, base: str = "https://r.example") -> Path:
    call_command("export_collection", format=kind, out=folder / kind, base=base, stdout=sys.stderr)
    return folder / kind


def of_postman(folder: Path) -> tuple[dict[str, str], Requests]:
    """Variables; method, path and sent parameters of each request."""
    collection = json.loads((folder / "lookalike.postman_collection.json").read_text())
    found: Requests = []
    for request in (item["request"] for tag in collection["item"] for item in tag["item"]):
        url = request["url"]
        query = [(each["key"], each["value"]) for each in url["query"] if not each.get("disabled")]
        values = {each["key"]: each["value"] for each in url["variable"]}
        parts = [values.get(part[1:], part) if part.startswith(":") else part for part in url["path"]]
        found.append((request["method"], "/" + "/".join(parts), query))
    return {each["key"]: each["value"] for each in collection["variable"]}, found


def of_bruno(folder: Path) -> tuple[dict[str, str], Requests]:
    """The same, read by the blocks of its files."""
    found: Requests = []
    for path in sorted(folder.glob("*/*.bru")):
        if path.name == "folder.bru" or path.parent.name == "environments":
            continue
        blocks = dict(re.findall(r"^([\w:-]+) \{\n(.*?)^\}$", path.read_text(), re.MULTILINE | re.DOTALL))
        method = next(name for name in blocks if name in ("get", "post", "put", "patch", "delete"))
        address = lines(blocks[method])["url"].partition("?")[0].removeprefix("{{baseUrl}}")
        for name, value in lines(blocks.get("params:path", "")).items():
            address = address.replace(f":{name}", value)
        query = [(name, value) for name, value in lines(blocks.get("params:query", "")).items() if name[0] != "~"]
        found.append((method.upper(), address, query))
    variables = re.search(
        r"vars \{\n(.*?)^\}", (folder / "environments" / "shop.bru").read_text(), re.MULTILINE | re.DOTALL
    )
    assert variables is not None
    return lines(variables[1]), found


def lines(block: str) -> dict[str, str]:
    pairs = (line.strip().partition(":") for line in block.splitlines())
    return {name: value.strip() for name, _, value in pairs}


READERS: list[Any] = [pytest.param("postman", of_postman, id="postman"), pytest.param("bruno", of_bruno, id="bruno")]
Reader = Callable[[Path], tuple[dict[str, str], Requests]]


@pytest.mark.parametrize(("kind", "read"), READERS)
def test_every_operation_of_the_schema_is_in_it_once(kind: str, read: Reader, tmp_path: Path) -> None:
    variables, requests = read(export(kind, tmp_path))

    declared = [(each.method, re.sub(r"\{(\w+)\}", r"{{\1}}", each.path)) for each in operations(schema_document())]
    assert sorted((method, path) for method, path, _ in requests) == sorted(declared)
    assert variables["baseUrl"] == "https://r.example"
    assert {name for _, path, _ in requests for name in re.findall(r"\{\{(\w+)\}\}", path)} <= variables.keys()


@pytest.mark.parametrize(("kind", "read"), READERS)
def test_the_same_schema_gives_the_same_files(kind: str, read: Reader, tmp_path: Path) -> None:
    first, second = (export(kind, tmp_path / name) for name in ("one", "two"))
    texts = [{path.relative_to(each): path.read_text() for path in each.rglob("*.*")} for each in (first, second)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(("kind", "read"), READERS)
def test_each_get_is_answered(kind: str, read: Reader, shop: ServedShop, tmp_path: Path) -> None:
    key = keys.create(ApiKey(name="tools", kind=ApiKey.Kind.SECRET, may_import=True, may_train=True)).text
    rule = save_rule(save_set({"name": "summer"}), {"kind": "only_in_stock"})
    job = Job.objects.create(kind="import")
    feed = Feed.objects.create(name="spring", address="https://shop.example/feed.xml")
    variables, requests = read(export(kind, tmp_path, shop.url))
    filled = variables | {
        "product_id": str(shop.mug.pk), "sku": shop.mug.sku, "name": "summer", "rule_id": str(rule.pk), "job_id": str(job.pk),
        "feed_id": str(feed.pk),
    }  # fmt: skip

    answers = {}
    for method, path, query in requests:
        # An import without rejected rows has no file of them.
        if method != "GET" or path.endswith("/rejected"):
            continue
        named = re.sub(r"\{\{(\w+)\}\}", lambda match: quote(filled[match[1]], safe=""), path)
        answer = httpx.get(
            filled["baseUrl"] + named, params=query, headers={"Authorization": f"Bearer {key}"}, timeout=60
        )
        answers[path] = answer.status_code

    assert {path: status for path, status in answers.items() if status != 200} == {}
    assert "/api/search" in answers
