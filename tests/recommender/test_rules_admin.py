"""Rules in the admin: their forms, the strip before and after, what is lost, and suggested walls."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from catalog.models import Product
from recommender.models import Rule, RuleSet
from recommender.rules.kinds import KINDS
from recommender.rules.services import save_set
from recommender.rules.walls import suggested_walls
from tests.factories import CategoryFactory, ProductFactory
from tests.recommender.answers import ids
from tests.recommender.conftest import Shop
from tests.recommender.ruled_shop import RuledShop, furnished
from tests.recommender.test_rules import answer

ADD = reverse("admin:recommender_rule_add")


@pytest.fixture
def ruled(shop: Shop, client: Client) -> RuledShop:
    """A shop with an active rule set; its owner is signed in."""
    client.force_login(User.objects.create_superuser("owner", "owner@shop.example", "secret"))
    return furnished(shop, 16)


def sent(ruled: RuledShop, **fields: Any) -> dict[str, Any]:
    """A form of a rule that applies everywhere."""
    return {"rule_set": ruled.rules.pk, "scope": "everywhere", "target": "", "active": "on", "note": "", **fields}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_a_form_with_its_parameters(ruled: RuledShop, client: Client, kind: str) -> None:
    page = client.get(f"{ADD}?kind={kind}")

    assert page.status_code == 200
    for name in KINDS[kind].model_fields:
        assert f'name="parameter_{name}"' in page.content.decode()


def test_a_rule_is_added_changed_and_deleted(ruled: RuledShop, client: Client, api: Client) -> None:
    assert all(f"?kind={kind}" in client.get(ADD).content.decode() for kind in KINDS)
    values = {"parameter_brand": "Pier\nQuay\n", "parameter_attribute": "gender=men\ngender=unisex"}
    form = sent(ruled, scope="category", target="women", **values)

    assert client.post(f"{ADD}?kind=hide", form).status_code == 302
    rule = Rule.objects.get()
    assert (rule.kind, rule.scope, rule.target) == ("hide", "category", "women")
    assert rule.parameters == {"brand": ["Pier", "Quay"], "attribute": {"gender": ["men", "unisex"]}}

    change = reverse("admin:recommender_rule_change", args=[rule.pk])
    shown = client.get(change).content.decode()
    assert "Pier\nQuay" in shown
    assert "gender=men\ngender=unisex" in shown
    assert client.post(change, sent(ruled, parameter_brand="Pier")).status_code == 302
    rule.refresh_from_db()
    assert (rule.scope, rule.parameters) == ("everywhere", {"brand": ["Pier"]})
    assert ids(answer(api, ruled.product)) == ruled.allowed(lambda it: it.brand != "Pier")[:12]

    client.post(reverse("admin:recommender_rule_delete", args=[rule.pk]), {"post": "yes"})
    assert ids(answer(api, ruled.product)) == ruled.allowed()[:12]


@pytest.mark.parametrize(
    ("kind", "fields", "error"),
    [
        ("hide", {"parameter_brand": "Peir"}, "Names no brand, &#x27;Peir&#x27;; the nearest: Pier."),
        ("hide", {}, "Name one of brand, category"),
        ("hide", {"parameter_attribute": "gender"}, "gender is not of the form name=value."),
        ("boost", {"parameter_attribute_at_least": "margin=high", "parameter_places": "3"}, "high is not a number."),
        ("boost", {"parameter_brand": "Pier", "parameter_places": "30"}, "less than or equal to 24"),
        ("at_most", {"parameter_number": "0"}, "greater than or equal to 1"),
        ("at_most", {"target": "women", "parameter_number": "2"}, "but the scope is everywhere"),
        ("pin", {"parameter_place": "1"}, "This field is required."),
    ],
)
def test_a_wrong_rule_is_refused_at_its_field(
    ruled: RuledShop, client: Client, kind: str, fields: dict[str, Any], error: str
) -> None:
    page = client.post(f"{ADD}?kind={kind}", sent(ruled, **fields))

    assert page.status_code == 200
    assert error in page.content.decode()
    assert not Rule.objects.exists()


def test_making_a_set_active_makes_the_one_before_inactive(ruled: RuledShop, client: Client) -> None:
    spare = save_set({"name": "spare"})

    change = reverse("admin:recommender_ruleset_change", args=[spare.pk])
    assert client.post(change, {"name": "spare", "collection": "", "active": "on"}).status_code == 302
    assert [*RuleSet.objects.filter(active=True)] == [spare]


def test_what_rules_lost_is_flagged_in_both_lists(ruled: RuledShop, client: Client) -> None:
    ruled.add_rule("hide", brand=["Pier"])
    Product.objects.filter(brand="Pier").update(brand="Quay")

    for name in ("ruleset", "rule"):
        page = client.get(reverse(f"admin:recommender_{name}_changelist")).content.decode()
        assert "brand Pier is gone" in page


def test_a_set_shows_the_strip_before_and_after_and_what_each_rule_did(ruled: RuledShop, client: Client) -> None:
    spare = save_set({"name": "spare"})
    ruled.rules = spare
    ruled.add_rule("hide", products=["P-1"])
    ruled.add_rule("pin", products=["P-15"])
    preview = reverse("admin:recommender_ruleset_preview", args=[spare.pk])

    page = client.get(preview, {"product": "P-0"})

    assert page.context["before"][0].change == "gone"
    assert page.context["after"][0].change == "new"
    assert [effect.products for effect in page.context["effects"]] == [1, 1]
    assert "There is no product with this SKU" in client.get(preview, {"product": "Q"}).content.decode()


def test_only_those_who_may_see_rules_see_them(ruled: RuledShop, client: Client) -> None:
    client.force_login(User.objects.create_user("clerk", password="secret", is_staff=True))

    for url in (ADD, reverse("admin:recommender_rule_walls"), reverse("admin:recommender_rule_changelist")):
        assert client.get(url).status_code == 403
    assert client.get(reverse("admin:recommender_ruleset_preview", args=[ruled.rules.pk])).status_code == 403


def test_walls_are_suggested_by_what_the_columns_show(db: None) -> None:
    shoes, shirts = CategoryFactory(), CategoryFactory()
    for number in range(24):
        attributes = {
            "gender": ("men", "women", "unisex")[number % 3],
            "colour": ("red", "blue", "green", "black", "white", "grey")[number % 6],
            "size": str(number % 12),
            "washable": number % 2 == 0,
            "code": f"X{number}",
            "age_group": "adult",
            "fit": ("slim", "wide")[number // 2 % 2],
        }
        main = ProductFactory(category=(shoes, shirts)[number % 2], attributes=attributes)
        ProductFactory(
            category=main.category, variant_of=main, attributes={**attributes, "colour": "pink", "size": "99"}
        )

    walls = suggested_walls()

    assert walls[0].attribute == "gender"
    assert {wall.attribute for wall in walls} == {"gender", "fit"}
    assert (walls[0].coverage, walls[0].exclusive, walls[0].constant, walls[0].mixed) == (1, 1, 1, 1)
    assert walls[0].neutral == ["unisex"]
    assert walls[0].values == {"men": 16, "women": 16, "unisex": 16}


def test_a_suggested_wall_becomes_a_rule(ruled: RuledShop, client: Client) -> None:
    Product.objects.filter(sku__in=["P-4", "P-9", "P-14"]).update(attributes={"gender": "men"})
    page = client.get(reverse("admin:recommender_rule_walls")).content.decode()

    link = f"{ADD}?kind=wall&amp;parameter_attributes=gender&amp;parameter_neutral=unisex"
    assert link in page
    form = client.get(link.replace("&amp;", "&")).content.decode()
    assert "gender</textarea>" in form
    assert "unisex</textarea>" in form
