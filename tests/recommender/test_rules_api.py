"""Rules by API, by file, and what an answer says of them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts import keys
from accounts.models import ApiKey
from catalog.models import Category, Product
from recommender.models import Rule, RuleSet
from recommender.rules.book import forget_rules
from recommender.rules.documents import export_rules, import_rules
from recommender.rules.services import save_set
from tests.recommender.answers import ids, problem
from tests.recommender.conftest import Shop
from tests.recommender.ruled_shop import RuledShop, furnished
from tests.recommender.test_rules import answer, skus
from tests.recommender.test_search import photo


@pytest.fixture
def ruled(shop: Shop, settings: Any) -> RuledShop:
    """A shop with an active rule set; anybody may write."""
    settings.API_WRITES = "open"
    return furnished(shop, 16)


def send(api: Client, method: str, path: str, document: Any = None) -> Any:
    body = {} if document is None else {"data": json.dumps(document), "content_type": "application/json"}
    return getattr(api, method)(f"/api/rule-sets{path}", **body)


HIDE = {"kind": "hide", "scope": "category", "target": "women", "parameters": {"brand": ["Pier"]}}


def test_a_rule_is_created_read_replaced_and_deleted(ruled: RuledShop, api: Client) -> None:
    created = send(api, "post", "/main/rules", HIDE)
    assert created.status_code == 201, created.content
    rule = created.json()
    assert rule == {**HIDE, "id": rule["id"], "active": True, "note": "", "lost": []}
    path = f"/main/rules/{rule['id']}"
    assert created["Location"] == f"http://testserver/api/rule-sets{path}"
    brands = {each.sku: each.brand for each in ruled.others}
    assert "Pier" not in {brands[sku] for sku in skus(answer(api, ruled.product))}

    assert send(api, "get", path).json() == rule
    replaced = send(api, "put", path, {"kind": "only_in_stock", "note": "for now"})
    assert replaced.json() == {
        "id": rule["id"], "kind": "only_in_stock", "scope": "everywhere", "target": "", "parameters": {}, "active": True,
        "note": "for now", "lost": [],
    }  # fmt: skip
    assert send(api, "get", "/main/rules").json() == {"results": [replaced.json()]}
    assert ids(answer(api, ruled.product)) == ruled.allowed(lambda it: it.available)[:12]

    assert send(api, "delete", path).status_code == 204
    assert "has no rule" in problem(send(api, "get", path), 404)["detail"]
    assert ids(answer(api, ruled.product)) == ruled.allowed()[:12]


def test_a_rule_set_is_created_changed_and_deleted(ruled: RuledShop, api: Client) -> None:
    ruled.add_rule("hide", brand=["Pier"])
    created = send(api, "post", "", {"name": "summer", "active": True})
    assert created.status_code == 201
    listed = send(api, "get", "").json()["results"]
    # One is in force everywhere.
    assert listed == [
        {"name": "main", "collection": None, "active": False},
        {"name": "summer", "collection": None, "active": True},
    ]
    assert ids(answer(api, ruled.product)) == ruled.allowed()[:12]

    changed = send(api, "put", "/summer", {"name": "autumn", "collection": "all", "active": True})
    assert changed.json() == {"name": "autumn", "collection": "all", "active": True}
    assert send(api, "delete", "/autumn").status_code == 204
    body = problem(send(api, "get", "/autumn"), 404)
    assert body["type"] == "urn:lookalike:problem:unknown-rule-set" or body["type"].endswith("unknown-rule-set")
    assert "there is: main" in body["detail"]
    assert [error["parameter"] for error in problem(send(api, "post", "", {"name": "main"}), 400)["errors"]] == ["name"]


@pytest.mark.parametrize(
    ("change", "parameter", "detail"),
    [
        ({"kind": "hied"}, "kind", "should be 'pin'"),
        ({"scope": "everywhere"}, "target", "is not empty, but the scope is everywhere"),
        ({"target": ""}, "target", "is missing: name the category"),
        ({"target": "womne"}, "target", "names no category, 'womne'; the nearest: women"),
        ({"scope": "product", "target": "Q-1"}, "target", "names no product, 'Q-1'"),
        ({"colour": "red"}, "colour", "is not a known field"),
    ],
)
def test_a_wrong_rule_is_refused_with_what_may_have_been_meant(
    ruled: RuledShop, api: Client, change: dict[str, Any], parameter: str, detail: str
) -> None:
    body = problem(send(api, "post", "/main/rules", {**HIDE, **change}), 400)

    details = {error["parameter"]: error["detail"] for error in body["errors"]}
    assert details[parameter].startswith(detail)
    assert not Rule.objects.exists()


@pytest.mark.parametrize(
    ("kind", "parameters", "name", "detail"),
    [
        ("hide", {}, "", "name one of brand, category"),
        ("hide", {"brand": ["Peir"]}, "brand", "names no brand, 'Peir'; the nearest: Pier"),
        ("hide", {"category": ["men/shrits"]}, "category", "names no category, 'men/shrits'; the nearest: men/shirts"),
        ("hide", {"tag": ["sael"]}, "tag", "names no tag, 'sael'; the nearest: sale"),
        ("hide", {"attribute": {"gendre": ["men"]}}, "attribute", "names no attribute, 'gendre'; the nearest: gender"),
        ("hide", {"attribute": {"gender": ["mne"]}}, "attribute", "names no value, 'gender=mne'; the nearest: men"),
        ("hide", {"brnad": ["Pier"]}, "brnad", "is not a known field; known fields: brand, category"),
        ("price_band", {"lowest": 2.0}, "lowest", "should be less than or equal to 1"),
        ("boost", {"tag": ["sale"], "places": 25}, "places", "should be less than or equal to 24"),
        ("boost", {"places": 2}, "", "name one of brand, category"),
        ("at_most", {"number": 0}, "number", "should be greater than or equal to 1"),
        ("pin", {"products": ["P-1x"]}, "products", "names no product, 'P-1x'; the nearest: P-1"),
        ("wall", {"attributes": ["gander"]}, "attributes", "names no attribute, 'gander'; the nearest: gender"),
        ("never_beside", {}, "", "name one of same, brand, category"),
        ("when_few", {"show": "anything"}, "show", "should be 'category', 'bestsellers' or 'nothing'"),
        ("only_in_stock", {"since": 3}, "since", "is not a known field"),
    ],
)
def test_wrong_parameters_are_refused_with_what_may_have_been_meant(
    ruled: RuledShop, api: Client, kind: str, parameters: dict[str, Any], name: str, detail: str
) -> None:
    body = problem(send(api, "post", "/main/rules", {"kind": kind, "parameters": parameters}), 400)

    details = {error["parameter"]: error["detail"] for error in body["errors"]}
    assert details[f"parameters.{name}".removesuffix(".")].startswith(detail)


def test_rules_are_read_and_written_with_a_key_only(ruled: RuledShop, api: Client, settings: Any) -> None:
    settings.API_WRITES = "keys"
    for method, path, document in (
        ("get", "", None), ("post", "", {"name": "x"}), ("get", "/main/rules", None), ("post", "/main/rules", HIDE),
    ):  # fmt: skip
        assert send(api, method, path, document).status_code in (401, 403)
    key = keys.create(ApiKey(name="Rules", kind=ApiKey.Kind.SECRET, may_train=True))
    assert api.get("/api/rule-sets", headers={"X-API-Key": key.text}).status_code == 200


def test_an_answer_says_what_each_rule_did(ruled: RuledShop, api: Client) -> None:
    by_sku = {each.sku: each.pk for each in ruled.others}
    stock = ruled.add_rule("only_in_stock")
    pin = ruled.add_rule("pin", products=["P-15"])
    boost = ruled.add_rule("boost", tag=["sale"], places=3)
    cap = ruled.add_rule("at_most", number=2)
    ruled.add_rule("hide", scope="category", target="men", brand=["Pier"])

    assert "explanation" not in answer(api, ruled.product)
    found = answer(api, ruled.product, limit=6, explain="true")
    effects = {each["id"]: each for each in found["explanation"]["rules"]}

    assert found["explanation"]["rule_set"] == "main"
    assert effects.keys() == {stock.pk, pin.pk, boost.pk, cap.pk}
    assert effects[stock.pk] == {
        "id": stock.pk, "kind": "only_in_stock", "scope": "everywhere", "target": "", "place": "index",
        "products": [by_sku["P-1"], by_sku["P-4"]], "lost": [],
    }  # fmt: skip
    assert (effects[pin.pk]["place"], effects[pin.pk]["products"]) == ("after", [by_sku["P-15"]])
    tagged = [each.pk for each in ruled.others if each.tags and each.pk in ids(found)]
    assert {*effects[boost.pk]["products"]} == {*tagged}
    assert ids({**found}) == ids(answer(api, ruled.product, limit=6))


def test_an_explanation_names_what_a_rule_lost(ruled: RuledShop, api: Client) -> None:
    hide = ruled.add_rule("hide", brand=["Pier"], tag=["sale"])
    beside = ruled.add_rule("hide", scope="category", target="home", brand=["Quay"])
    Product.objects.filter(brand="Pier").update(brand="Quay")
    Category.objects.filter(path="home").update(path="house")
    forget_rules()

    rules = {each["id"]: each for each in answer(api, ruled.product, explain="true")["explanation"]["rules"]}

    assert (rules[hide.pk]["lost"], rules[hide.pk]["products"]) == (["brand Pier"], [])
    assert (rules[beside.pk]["lost"], rules[beside.pk]["place"]) == (["category home"], None)
    assert send(api, "get", f"/main/rules/{hide.pk}").json()["lost"] == ["brand Pier"]
    # It can still be changed otherwise.
    same = {"kind": "hide", "parameters": {"brand": ["Pier"], "tag": ["sale"]}, "active": False}
    assert send(api, "put", f"/main/rules/{hide.pk}", same).status_code == 200


def test_a_search_by_photo_explains_itself_too(ruled: RuledShop, api: Client) -> None:
    rule = ruled.add_rule("hide", brand=["Pier"])

    found = api.post("/api/collections/all/search", {"photo": photo(), "limit": 20, "explain": "true"}).json()

    (effect,) = found["explanation"]["rules"]
    assert effect["id"] == rule.pk
    assert {*effect["products"]} == {each.pk for each in ruled.others if each.brand == "Pier"}


def test_an_answer_without_rules_has_what_they_hide(ruled: RuledShop, api: Client) -> None:
    before = ids(answer(api, ruled.product, limit=20))
    ruled.add_rule("hide", brand=["Pier"])
    hidden = {each.pk for each in ruled.others if each.brand == "Pier"}

    assert not hidden & {*ids(answer(api, ruled.product, limit=20))}
    assert ids(answer(api, ruled.product, limit=20, rules="false")) == before
    assert not hidden & {*ids(answer(api, ruled.product, limit=20, rules="true"))}
    path = "/api/collections/all/search"
    assert not hidden & {*ids(api.post(path, {"photo": photo(), "limit": 20}).json())}
    assert hidden <= {*ids(api.post(path, {"photo": photo(), "limit": 20, "rules": "false"}).json())}


def test_rules_are_exported_and_imported_again_without_a_change(ruled: RuledShop, tmp_path: Path) -> None:
    ruled.add_rule("hide", scope="category", target="women", brand=["Pier"])
    ruled.add_rule("boost", attribute_at_least={"margin": 0.4}, places=9)
    save_set({"name": "tests", "collection": "all"})
    rows = [*Rule.objects.order_by("pk").values()]
    file = tmp_path / "rules.json"

    call_command("rules", "export", str(file), stdout=io.StringIO())
    out = io.StringIO()
    call_command("rules", "import", str(file), stdout=out)

    assert "nothing to change" in out.getvalue()
    assert [*Rule.objects.order_by("pk").values()] == rows
    document = json.loads(file.read_text())
    assert document == {
        "version": 1,
        "rule_sets": [
            {
                "name": "main",
                "collection": None,
                "active": True,
                "rules": [
                    {"kind": "hide", "scope": "category", "target": "women", "parameters": {"brand": ["Pier"]}},
                    {"kind": "boost", "parameters": {"attribute_at_least": {"margin": 0.4}, "places": 9}},
                ],
            },
            {"name": "tests", "collection": "all", "active": False, "rules": []},
        ],
    }


def test_an_import_replaces_all_rules_or_says_what_it_would_do(ruled: RuledShop, api: Client, tmp_path: Path) -> None:
    kept = ruled.add_rule("only_in_stock")
    ruled.add_rule("hide", brand=["Pier"])
    save_set({"name": "old"})
    sets = [
        {"name": "main", "active": False, "rules": [{"kind": "at_most"}, {"kind": "only_in_stock"}]},
        {"name": "new", "active": True, "rules": [{"kind": "hide", "parameters": {"brand": ["Quay"]}}]},
    ]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"version": 1, "rule_sets": sets}))
    before = export_rules()

    dry, real, again = io.StringIO(), io.StringIO(), io.StringIO()
    call_command("rules", "import", str(file), "--dry-run", stdout=dry)
    assert export_rules() == before
    call_command("rules", "import", str(file), stdout=real)
    call_command("rules", "import", str(file), stdout=again)

    assert "2 rules created, 1 deleted, 1 kept" in dry.getvalue()
    assert "rule sets deleted: old" in real.getvalue()
    assert "nothing to change" in again.getvalue()
    assert [*RuleSet.objects.get(name="main").rules.values_list("kind", flat=True)] == ["at_most", "only_in_stock"]
    assert Rule.objects.filter(pk=kept.pk, position=1).exists()
    assert ids(answer(api, ruled.product)) == ruled.allowed(lambda it: it.brand != "Quay")[:12]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", r"rules.json is empty: manage.py rules export"),
        (b'{"version": 1, "rule_sets": [{"name": "a", "rules": [], "rules": []}]}', "'rules' twice in one object"),
        (b"PK\x03\x04\xff", "is no JSON in UTF-8"),
        (b"kind;brand\nhide;Acme\n", "is no JSON"),
    ],
)
def test_a_file_that_is_none_of_rules_is_explained(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "rules.json"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=said):
        call_command("rules", "import", str(path))


def test_a_wrong_file_changes_nothing_and_every_mistake_is_named(ruled: RuledShop, tmp_path: Path) -> None:
    ruled.add_rule("only_in_stock")
    before = export_rules()
    of_a_category = {"kind": "hide", "scope": "category", "target": "mne", "parameters": {"tag": ["sale"]}}
    sets = [
        {"name": "main", "rules": [{"kind": "hide", "parameters": {"brand": ["Peir"]}}, {"kind": "hied"}]},
        {"name": "main", "collection": "nope"},
        {"name": "two", "active": True, "rules": [of_a_category]},
    ]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"version": 1, "rule_sets": sets}))

    with pytest.raises(CommandError) as raised:
        call_command("rules", "import", str(file))

    message = str(raised.value)
    assert "rule_sets[0].rules[0].parameters.brand names no brand, 'Peir'; the nearest: Pier" in message
    assert "rule_sets[0].rules[1].kind" in message
    assert "rule_sets[2].rules[0].target names no category, 'mne'; the nearest: men" in message
    assert export_rules() == before
    for text in ("{", "[]", '{"rule_sets": []}', '{"version": 1, "rule_sets": [3]}'):
        file.write_text(text)
        with pytest.raises(CommandError):
            call_command("rules", "import", str(file))
    with pytest.raises(CommandError, match="cannot read"):
        call_command("rules", "import", str(tmp_path / "none.json"))


def test_two_sets_may_not_be_active_in_one_place(ruled: RuledShop) -> None:
    sets = [{"name": "a", "active": True}, {"name": "b", "active": True}]
    with pytest.raises(Exception, match="two active sets for every collection"):
        import_rules(json.dumps({"version": 1, "rule_sets": sets}))


def test_an_export_flags_what_is_lost_and_may_be_imported_all_the_same(ruled: RuledShop, tmp_path: Path) -> None:
    ruled.add_rule("hide", brand=["Pier"])
    Product.objects.filter(brand="Pier").update(brand="Quay")
    file = tmp_path / "rules.json"
    call_command("rules", "export", str(file), stdout=io.StringIO())

    (rule,) = json.loads(file.read_text())["rule_sets"][0]["rules"]
    assert rule["lost"] == ["brand Pier"]
    with pytest.raises(CommandError, match="names no brand, 'Pier'"):
        call_command("rules", "import", str(file))
    errors = io.StringIO()
    call_command("rules", "import", str(file), "--allow-lost", stdout=io.StringIO(), stderr=errors)
    assert "brand Pier does not exist" in errors.getvalue()
