"""What photos say beside their class: read from the catalogue and from a table, masked where it is unknown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from catalog.services import attach_image
from embeddings.dataset import LabelledPhoto, read_catalogue, read_folder
from embeddings.errors import UnusablePhotos
from pictures.photos import validate_photo
from tests.drawings import drawing, write
from tests.factories import CategoryFactory, ProductFactory
from training.config import TrainingConfig
from training.further_labels import UNKNOWN, further_labels


def photo(label: str = "shirts", product: str = "", **attributes: str) -> LabelledPhoto:
    return LabelledPhoto("a.jpg", label, product, Path("a.jpg"), attributes)


def test_values_are_numbered_and_a_photo_without_one_is_unknown():
    photos = [photo(colour="red"), photo(colour="blue"), photo(), photo(colour=" Red ")]
    (label,) = further_labels(TrainingConfig(also="colour"), photos)
    assert (label.name, label.values, label.known) == ("colour", ["blue", "red"], 3)
    assert label.numbers.tolist() == [1, 0, UNKNOWN, 1]


def test_the_colour_is_found_under_its_other_names():
    (label,) = further_labels(TrainingConfig(also="colour"), [photo(color="red"), photo(Farbe="blau")])
    assert label.values == ["blau", "red"]


def test_by_product_the_category_is_a_further_label_and_otherwise_the_product():
    photos = [photo("shirts", "A"), photo("shirts", "B"), photo("shoes", "C")]
    (category,) = further_labels(TrainingConfig(also="category", by_product=True), photos)
    (product,) = further_labels(TrainingConfig(also="product"), photos)
    assert category.values == ["shirts", "shoes"]
    assert product.values == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"also": "colour, Category"}, "also must not name category: it is the class"),
        ({"also": "product", "by_product": True}, "also must not name product: it is the class"),
        ({"also": "colour", "siamese": True}, "also is for fine-tuning: a Siamese network learns one label"),
        ({"also": "x" * 201}, "also must have at most 200 characters, not 201"),
    ],
)
def test_a_label_that_cannot_be_learned_beside_the_class_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**options)


def test_a_label_that_no_photo_has_is_refused_with_those_that_there_are():
    with pytest.raises(
        UnusablePhotos, match=r"no photo to train on has 'material', .*: they have brand, category, colour"
    ):
        further_labels(TrainingConfig(also="material"), [photo(colour="red", brand="Sundby"), photo(colour="blue")])


def test_a_label_with_one_value_teaches_nothing():
    with pytest.raises(UnusablePhotos, match="have the same, 'red'"):
        further_labels(TrainingConfig(also="colour"), [photo(colour="red"), photo(colour="Red")])


def test_a_name_that_is_given_twice_is_learned_once():
    assert TrainingConfig(also="colour, brand,Colour,").further == ("colour", "brand")


@pytest.mark.django_db
def test_products_of_the_catalogue_bring_their_brand_and_attributes():
    product = ProductFactory.create(
        category=CategoryFactory.create(name="Shirts"), brand="Sundby",
        attributes={"colour": "blue", "sizes": ["S", "M"], "weight": 12, "unknown": None, "care": {"wash": "30"}},
    )  # fmt: skip
    (known,) = read_catalogue("shop", [attach_image(product, validate_photo(drawing("balls", 1)))[0]]).photos
    values = {name: known.value(name) for name in ("brand", "colour", "sizes", "weight", "unknown", "care")}
    assert values == {"brand": "sundby", "colour": "blue", "sizes": "s, m", "weight": "12", "unknown": "", "care": ""}
    assert (known.value("category"), known.value("product")) == ("shirts", str(product.pk))


def test_further_columns_of_the_table_are_further_labels(tmp_path):
    table = "file;product_id;Colour;material\nballs/a.jpg;P1;red;\nballs/b.jpg;P2;;oak\n"
    files = {"balls/a.jpg": drawing("balls", 1), "balls/b.jpg": drawing("balls", 2), "metadata.csv": table.encode()}
    first, second = read_folder(write(tmp_path / "set", files)).photos
    assert [first.value(name) for name in ("colour", "material", "category")] == ["red", "", "balls"]
    assert [second.value(name) for name in ("colour", "material", "product")] == ["", "oak", "P2"]
    labels = further_labels(TrainingConfig(also="product"), [first, second])
    assert np.array_equal(labels[0].numbers, [0, 1])
