"""What the search answers to words, to words and a photo, and to liked products."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from io import StringIO
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from catalog.models import Category, Product
from embeddings import generations, text_maps
from embeddings.models import Collection
from embeddings.selectors import clear_live_collection_cache
from embeddings.text_encoders import use_text_encoder
from embeddings.text_indexing import process_texts
from pictures import turns
from recommender.rules.book import forget_rules
from recommender.rules.services import save_rule, save_set
from tests.catalog.photo_server import PhotoServer, photo_server
from tests.factories import CategoryFactory, blank_jpeg
from tests.recommender.answers import ids, problem
from tests.recommender.conftest import Shop
from tests.text_encoder import make_text_encoder

ADDRESS = "/api/collections/all/search"
RED, BLUE, GREEN = (1, 0, 0), (0, 0, 1), (0, 1, 0)


def photo(colour: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("photo.jpg", blank_jpeg(colour))


@pytest.fixture
def kitchen(db: None) -> Category:
    return CategoryFactory.create(name="Kitchen")


@pytest.fixture
def stocked(shop: Shop, kitchen: Category) -> dict[str, Product]:
    """Mugs and plates in two colours, and a lamp."""
    fields: dict[str, dict[str, Any]] = {
        "red mug": {"category": kitchen, "brand": "Pier", "price": 12, "attributes": {"colour": "red"}},
        "blue mug": {"category": kitchen, "brand": "Pier", "price": 14, "attributes": {"colour": "blue"}},
        "red plate": {"category": kitchen, "brand": "Nord", "price": 30, "attributes": {"colour": "red"}},
        "blue plate": {"category": kitchen, "brand": "Nord", "price": 90, "attributes": {"colour": "blue"}},
        "desk lamp": {"sku": "LMP-7", "brand": "Lux", "price": 200},
    }
    # The first number is what a thing looks like, the others its colour.
    vectors = {
        "red mug": (5, 1, 0), "blue mug": (5, 0, 1), "red plate": (1, 5, 0), "blue plate": (1, 4, 1), "desk lamp": (0, 0, 5),
    }  # fmt: skip
    products = {title: shop.add(vectors[title], title=title.title(), **each) for title, each in fields.items()}
    process_texts()
    return products


def titles(answer: dict[str, Any]) -> list[str]:
    return [each["product"]["title"].lower() for each in answer["results"]]


def test_words_in_any_order_find_products_that_have_them(stocked: dict[str, Product], api: Client) -> None:
    answer = api.get("/api/search", {"text": "mugs, blue"}).json()
    assert titles(answer)[0] == "blue mug"
    assert {*titles(answer)} == {"blue mug", "red mug", "blue plate"}
    assert answer.keys() == {"collection", "encoder", "results", "weights"}
    assert answer["weights"] is None
    first = answer["results"][0]
    assert first["score"] > answer["results"][1]["score"] > 0
    assert (first["confidence"], first["matched_image"], first["query_image"]) == (None, None, None)
    assert api.post(ADDRESS, {"text": "mugs, blue"}).json() == answer


@pytest.fixture
def with_meaning(stocked: dict[str, Product], settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collection has a text encoder, to which a mug is a cup, and a lamp a light."""
    monkeypatch.setattr(generations, "LIVE_COLLECTION_TTL_S", 0)
    settings.ENCODERS_ROOT = tmp_path
    use_text_encoder(Collection.objects.get(slug="all"), make_text_encoder(tmp_path))


def test_with_a_text_encoder_other_words_of_the_same_meaning_find_a_product(
    with_meaning: None, stocked: dict[str, Product], api: Client
) -> None:
    assert titles(api.get("/api/search", {"text": "light"}).json()) == ["desk lamp"]
    found = titles(api.get("/api/search", {"text": "red cup"}).json())
    assert found[0] == "red mug"
    assert found.index("red mug") < found.index("red plate")
    assert "desk lamp" not in found


def test_with_a_text_encoder_codes_come_first_and_filters_apply(
    with_meaning: None, stocked: dict[str, Product], api: Client
) -> None:
    first = api.get("/api/search", {"text": "lmp7"}).json()["results"][0]
    assert (first["product"]["sku"], first["score"] >= 10) == ("LMP-7", True)
    assert titles(api.get("/api/search", {"text": "cup", "max_price": "13"}).json()) == ["red mug"]


def test_with_a_text_encoder_a_word_that_is_being_typed_is_found_as_a_word(
    with_meaning: None, stocked: dict[str, Product], api: Client
) -> None:
    assert titles(api.get("/api/search", {"text": "la", "typing": "true"}).json()) == ["desk lamp"]
    assert titles(api.get("/api/search", {"text": "light", "typing": "true"}).json()) == []


def test_without_a_text_encoder_other_words_find_nothing(stocked: dict[str, Product], api: Client) -> None:
    assert titles(api.get("/api/search", {"text": "light"}).json()) == []


def test_a_text_encoder_whose_files_are_gone_is_a_problem_of_the_service(
    with_meaning: None, stocked: dict[str, Product], settings: Any, tmp_path: Path, api: Client
) -> None:
    settings.ENCODERS_ROOT = tmp_path / "elsewhere"
    assert "text encoder" in problem(api.get("/api/search", {"text": "light"}), 503)["detail"]


def trained(*options: str) -> str:
    out = StringIO()
    call_command("train", "--text-map", *options, stdout=out)
    return out.getvalue()


def test_a_text_map_finds_what_looks_as_the_words_say_where_no_text_has_them(
    with_meaning: None, stocked: dict[str, Product], api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_maps, "LEAST_PRODUCTS", 5)
    asked = {"text": "cup", "liked": stocked["red plate"].sku, "text_weight": "3"}
    assert titles(api.post(ADDRESS, asked).json())[0] == "blue plate"
    printed = trained()
    assert "Recall@10 of 1 products kept aside, among 5" in printed
    assert "by chance" in printed
    clear_live_collection_cache()
    assert "mug" in titles(api.post(ADDRESS, asked).json())[0]
    # Another training takes the place of the first, and another text encoder makes it void.
    trained()
    assert len([*settings.ENCODERS_ROOT.glob("text-map-*")]) == 1
    use_text_encoder(Collection.objects.get(slug="all"), "")
    clear_live_collection_cache()
    assert titles(api.post(ADDRESS, asked).json())[0] == "blue plate"


def test_a_text_map_needs_a_text_encoder_and_products(stocked: dict[str, Product]) -> None:
    with pytest.raises(CommandError, match="use_text_encoder"):
        trained()


def test_a_text_map_of_few_products_is_refused(with_meaning: None, stocked: dict[str, Product]) -> None:
    with pytest.raises(CommandError, match=r"needs 1,000 products .* has 5"):
        trained()
    with pytest.raises(CommandError, match="leave out"):
        trained("--activate")


def test_a_word_with_a_typing_error_is_found(stocked: dict[str, Product], api: Client) -> None:
    assert titles(api.get("/api/search", {"text": "laamp"}).json()) == ["desk lamp"]


def test_a_word_that_is_still_being_typed_is_found_by_its_beginning(stocked: dict[str, Product], api: Client) -> None:
    assert titles(api.get("/api/search", {"text": "blue pl", "typing": "true"}).json())[0] == "blue plate"
    assert titles(api.get("/api/search", {"text": "la", "typing": "true"}).json())[0] == "desk lamp"


def test_a_short_word_finds_its_colours_and_not_the_middle_of_other_words(shop: Shop, api: Client) -> None:
    for title in ("Tapered mug", "Burgundy mug", "Flared skirt"):
        shop.add(BLUE, title=title)
    process_texts()
    assert titles(api.get("/api/search", {"text": "red"}).json()) == ["burgundy mug"]
    assert titles(api.get("/api/search", {"text": "red", "typing": "true"}).json()) == ["burgundy mug"]
    assert titles(api.get("/api/search", {"text": "tap", "typing": "true"}).json()) == ["tapered mug"]


def test_this_but_red_finds_a_colour_of_the_family(shop: Shop, api: Client) -> None:
    liked = shop.add((5, 1, 0), title="Blue mug")
    for title, vector in {"Tapered mug": (5, 1, 0.2), "Burgundy mug": (5, 0, 1), "Desk lamp": (0, 0, 5)}.items():
        shop.add(vector, title=title)
    process_texts()
    answer = api.get("/api/search", {"text": "but red", "liked": liked.sku}).json()
    assert titles(answer)[0] == "burgundy mug"


def test_an_exact_sku_comes_first(stocked: dict[str, Product], api: Client) -> None:
    assert titles(api.get("/api/search", {"text": "lmp7"}).json())[0] == "desk lamp"


def test_synonyms_of_the_file_are_found(
    stocked: dict[str, Product], api: Client, settings: Any, tmp_path: Path
) -> None:
    settings.TEXT_SYNONYMS = tmp_path / "synonyms.txt"
    settings.TEXT_SYNONYMS.write_text("saucer => plate\n")
    assert {*titles(api.get("/api/search", {"text": "saucer"}).json())} == {"red plate", "blue plate"}


def test_filters_and_pages_apply_to_words(stocked: dict[str, Product], api: Client) -> None:
    found = titles(api.get("/api/search", {"text": "mug plate", "attribute.colour": "red"}).json())
    assert sorted(found) == ["red mug", "red plate"]
    whole = titles(api.get("/api/search", {"text": "mug plate"}).json())
    pages = [titles(api.get("/api/search", {"text": "mug plate", "limit": 2, "offset": at}).json()) for at in (0, 2)]
    assert [*pages[0], *pages[1]] == whole


def test_an_inactive_product_is_not_found_even_before_the_index_knows(stocked: dict[str, Product], api: Client) -> None:
    Product.objects.filter(pk=stocked["desk lamp"].pk).update(active=False)
    assert titles(api.get("/api/search", {"text": "lamp"}).json()) == []


def test_of_a_family_one_is_found(stocked: dict[str, Product], api: Client) -> None:
    Product.objects.filter(pk=stocked["blue mug"].pk).update(variant_of=stocked["red mug"])
    assert titles(api.get("/api/search", {"text": "mug"}).json()) == ["red mug"]


def test_words_choose_among_what_looks_like_the_photo(shop: Shop, api: Client) -> None:
    lamp = shop.add((0.2, 0, 1), title="Red lamp")
    blue, red = shop.add((1, 0, 0.3), title="Blue mug"), shop.add((1, 0.1, 0), title="Red mug")
    process_texts()
    assert ids(api.post(ADDRESS, {"photo": photo("red")}).json()) == [red.pk, blue.pk, lamp.pk]
    assert ids(api.post(ADDRESS, {"photo": photo("red"), "text": "but blue"}).json())[0] == blue.pk


def test_a_liked_product_and_words_are_this_but_red(stocked: dict[str, Product], api: Client) -> None:
    liked = stocked["blue mug"]
    answer = api.get("/api/search", {"text": "but red", "liked": liked.sku, "explain": "true"}).json()
    assert titles(answer)[0] == "red mug"
    assert liked.pk not in ids(answer)
    parts = answer["results"][0]["parts"]
    assert parts["text"] == 1 and 0.5 < parts["looks"] <= 1


def test_this_but_red_keeps_what_the_liked_product_is_called(shop: Shop, api: Client) -> None:
    liked = shop.add((5, 1, 0), title="Blue tulip mug")
    for title, vector in {"Red bowl": (5, 1.2, 0), "Red tulip mug": (5, 1.6, 0.6), "Desk lamp": (0, 0, 5)}.items():
        shop.add(vector, title=title)
    process_texts()
    answer = api.get("/api/search", {"text": "but red", "liked": liked.sku}).json()
    assert titles(answer)[:2] == ["red tulip mug", "red bowl"]


def test_liked_and_disliked_products_pull_and_push_by_their_weights(shop: Shop, api: Client) -> None:
    red, blue = shop.add(RED, sku="R"), shop.add(BLUE, sku="B")
    reddish, bluish, green = shop.add((3, 0, 1)), shop.add((1, 0, 3)), shop.add((0.4, 1, 0))
    mostly_red = api.get("/api/search", {"liked": ["R^3", "B"]}).json()
    mostly_blue = api.get("/api/search", {"liked": ["R", f"{blue.pk}^3"]}).json()
    assert (ids(mostly_red)[0], ids(mostly_blue)[0]) == (reddish.pk, bluish.pk)
    assert red.pk not in ids(mostly_red) and blue.pk not in ids(mostly_red)
    assert ids(api.get("/api/search", {"liked": "R", "disliked": "B"}).json())[-1] == bluish.pk
    assert green.pk in ids(mostly_red)


def test_similar_looks_adds_what_looks_like_the_best_that_words_find(stocked: dict[str, Product], api: Client) -> None:
    words = {"text": "desk"}
    assert titles(api.get("/api/search", words).json()) == ["desk lamp"]
    with_looks = titles(api.get("/api/search", {**words, "similar_looks": "true"}).json())
    assert with_looks[0] == "desk lamp" and len(with_looks) == 5


def test_facets_count_what_was_found(stocked: dict[str, Product], api: Client) -> None:
    answer = api.get("/api/search", {"text": "mug plate", "facets": "true", "limit": 1}).json()
    assert (answer["count"], len(answer["results"])) == (4, 1)
    facets = answer["facets"]
    assert facets["categories"] == [{"value": "kitchen", "name": "Kitchen", "products": 4}]
    assert facets["brands"] == [{"value": brand, "name": brand, "products": 2} for brand in ("Nord", "Pier")]
    assert facets["attributes"] == {
        "colour": [{"value": each, "name": each, "products": 2} for each in ("blue", "red")]
    }
    assert sum(band["products"] for band in facets["prices"]) == 4
    # Each band is a filter that leaves so many.
    for band in facets["prices"]:
        chosen = {name: band[name] for name in ("min_price", "max_price") if band[name] is not None}
        left = api.get("/api/search", {"text": "mug plate", "facets": "true", **chosen}).json()["count"]
        assert left == band["products"]


def test_rules_apply_to_words(stocked: dict[str, Product], api: Client) -> None:
    rules = save_set({"name": "season", "active": True})
    save_rule(rules, {"kind": "hide", "scope": "everywhere", "target": "", "parameters": {"brand": ["Pier"]}})
    forget_rules()
    assert {*titles(api.get("/api/search", {"text": "mug plate"}).json())} == {"red plate", "blue plate"}


@pytest.mark.parametrize("crop", ["0,0,0.5,1", "0.5,0,0.5,1"])
def test_a_part_of_a_photo_is_searched(shop: Shop, api: Client, crop: str) -> None:
    import io

    from PIL import Image

    red, blue = shop.add(RED), shop.add(BLUE)
    picture = Image.new("RGB", (200, 100), "red")
    picture.paste("blue", (100, 0, 200, 100))
    file = io.BytesIO()
    picture.save(file, "PNG")
    upload = SimpleUploadedFile("photo.png", file.getvalue())
    expected = red if crop.startswith("0,") else blue
    assert ids(api.post(ADDRESS, {"photo": upload, "crop": crop}).json())[0] == expected.pk


def test_a_photo_may_be_a_data_url(shop: Shop, api: Client) -> None:
    shop.add(BLUE)
    red = shop.add(RED)
    address = f"data:image/jpeg;base64,{base64.b64encode(blank_jpeg('red')).decode()}"
    assert ids(api.post(ADDRESS, {"photo": address}).json())[0] == red.pk


class TestPhotoBehindALink:
    @pytest.fixture
    def server(self, settings: Any) -> Iterator[PhotoServer]:
        with photo_server() as server:
            settings.FETCH_ALLOW_NETWORKS = [ip_network("127.0.0.0/8")]
            settings.FETCH_PORTS = [server.port]
            yield server

    def test_is_searched_with(self, shop: Shop, api: Client, server: PhotoServer) -> None:
        shop.add(BLUE)
        red = shop.add(RED)
        assert ids(api.post(ADDRESS, {"photo": server.serve("/1.jpg", blank_jpeg("red"))}).json())[0] == red.pk

    def test_has_the_limits_of_photos_that_visitors_send(
        self, shop: Shop, api: Client, server: PhotoServer, settings: Any
    ) -> None:
        shop.add(RED)
        settings.SEARCH_PHOTO_MAX_PIXELS = 1
        body = problem(api.post(ADDRESS, {"photo": server.serve("/1.jpg", blank_jpeg("red"))}), 400)
        assert body["reason"] == "too_many_pixels"

    @pytest.mark.timeout(20)
    def test_waits_no_longer_than_one_that_was_sent_while_others_are_decoded(
        self, shop: Shop, api: Client, server: PhotoServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop.add(RED)
        for name in ("_LARGE_BYTES", "_VISITORS_LARGE_BYTES", "_VISITORS_WAIT_S"):
            monkeypatch.setattr(turns, name, 0.1)
        with turns.Turn._one_large_picture:
            answer = api.post(ADDRESS, {"photo": server.serve("/1.jpg", blank_jpeg("red"))})
        assert problem(answer, 503)["detail"].startswith("Other large photos are being read")


@pytest.mark.parametrize(
    ("form", "parameter"),
    [
        ({"photo": "data:image/jpeg;base64,@@"}, "photo"),
        ({"photo": "data:image/jpeg,x"}, "photo"),
        (
            {"photo": f"data:image/jpeg;base64,{base64.b64encode(blank_jpeg('red') + bytes(1_500_000)).decode()}"},
            "photo",
        ),
        ({"photo": "ftp://shop.example/a.jpg"}, "photo"),
        ({"photo": "http://127.0.0.1/a.jpg"}, "photo"),
        ({"text": "mug", "crop": "0,0,2,1"}, "crop"),
        ({"liked": "nothing"}, "liked"),
        ({"liked": "LMP-7^much"}, "liked"),
        ({"text": "mug", "disliked": "LMP-7"}, "disliked"),
        ({"text": "mug", "min_score": "0.5"}, "min_score"),
        ({"text": ""}, "text"),
    ],
)
def test_what_cannot_be_searched_for_is_a_400_problem(
    stocked: dict[str, Product], api: Client, form: dict[str, str], parameter: str
) -> None:
    body = problem(api.post(ADDRESS, form), 400)
    assert [error["parameter"] for error in body["errors"]] == [parameter]


def test_a_link_without_words_is_a_400_problem(stocked: dict[str, Product], api: Client) -> None:
    assert problem(api.get("/api/search"), 400)["errors"][0]["parameter"] == "text"
    assert (
        problem(api.get("/api/search", {"text": "x", "collection": "no"}), 400)["errors"][0]["parameter"]
        == "collection"
    )


def test_a_liked_product_without_a_photo_is_said_to_have_none(shop: Shop, api: Client) -> None:
    bare = shop.add()
    body = problem(api.get("/api/search", {"liked": str(bare.pk)}), 400)
    assert "no photo that is embedded" in body["errors"][0]["detail"]
