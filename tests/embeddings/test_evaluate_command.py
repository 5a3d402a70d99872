"""manage.py evaluate: figures over photos in folders."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from embeddings.backends import get_encoder
from tests.drawings import drawing, drawings, write
from tests.factories import jpeg


def folder(root: Path, **classes: list[str]) -> Path:
    """Folders of one-coloured photos; a class is a folder."""
    for name, colours in classes.items():
        (root / name).mkdir(parents=True)
        for number, colour in enumerate(colours):
            (root / name / f"{number}.jpg").write_bytes(jpeg(colour))
    return root


@pytest.fixture
def queries(tmp_path) -> Path:
    return folder(tmp_path / "queries", red=["#e00000"], blue=["#0000e0"])


@pytest.fixture
def gallery(tmp_path) -> Path:
    return folder(tmp_path / "gallery", red=["#e00000", "#d01010"], blue=["#0000e0", "#1010d0"], green=["#00e000"])


def evaluate(*arguments: object) -> str:
    out = io.StringIO()
    call_command("evaluate", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_prints_the_figures(queries, gallery):
    printed = evaluate("--queries", queries, "--gallery", gallery)
    assert "2 queries, gallery of 5" in printed
    # Each query's very photo is in the gallery.
    assert "Recall@1  1.0000" in printed
    assert all(name in printed for name in ("Recall@5", "Recall@10", "Precision@10", "mAP"))


def test_json_says_the_same_to_a_program(queries, gallery):
    figures = json.loads(evaluate("--queries", queries, "--gallery", gallery, "--json"))
    assert figures["queries"] == 2
    assert figures["gallery"] == 5
    assert figures["recall_at_1"] == 1
    assert figures["encoder"] == get_encoder("bundled").fingerprint
    assert figures.keys() >= {"recall_at_5", "recall_at_10", "precision_at_10", "mean_average_precision"}


def test_without_a_gallery_each_photo_is_compared_with_the_others(gallery):
    figures = json.loads(evaluate("--queries", gallery, "--json"))
    # The green photo has no other of its class.
    assert figures["queries"] == 4


def test_names_photos_that_cannot_be_read_and_goes_on(queries, gallery, capsys):
    (gallery / "red" / "broken.jpg").write_bytes(b"not a photo")
    assert "gallery of 5" in evaluate("--queries", queries, "--gallery", gallery)
    assert "broken.jpg: " in capsys.readouterr().err


def test_classes_may_be_nested(tmp_path):
    nested = folder(tmp_path / "nested" / "clothing", red=["#e00000", "#d01010"], blue=["#0000e0", "#1010d0"])
    assert json.loads(evaluate("--queries", nested.parent, "--json"))["queries"] == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--queries", "{tmp}/nowhere"], "there is no file or folder"),
        (["--queries", "{tmp}/queries", "--gallery", "{tmp}/nowhere"], "there is no file or folder"),
        (["--queries", "{tmp}/empty"], "a folder is a class"),
        (["--queries", "{tmp}/queries", "--gallery", "{tmp}/others"], "classes must share names"),
        (["--queries", "{tmp}/unreadable"], "none of the 1 photos"),
        (["--queries", "{tmp}/queries", "--encoder", "{tmp}/none.tflite"], "no encoder"),
    ],
)
def test_says_what_is_wrong(tmp_path, queries, arguments, message):
    (tmp_path / "empty").mkdir()
    folder(tmp_path / "others", hats=["black"])
    (tmp_path / "unreadable" / "hats").mkdir(parents=True)
    (tmp_path / "unreadable" / "hats" / "1.jpg").write_bytes(b"not a photo")
    with pytest.raises(CommandError, match=message):
        evaluate(*(argument.format(tmp=tmp_path) for argument in arguments))


EACH = 8


def suite(root: Path) -> Path:
    """A set of each kind, and a folder that holds none."""
    for part in ("train", "val"):
        write(root / "data" / "shop" / part, drawings(EACH, kinds=("balls", "combs")))
    for name, table in (("pairs", "images.csv"), ("goods", "products.csv")):
        photos = {f"{kind}-{seed}.jpg": drawing(kind, seed) for kind in ("balls", "combs") for seed in range(2)}
        write(root / "data" / name / "images", photos)
        column = "product_id" if table == "images.csv" else "type"
        rows = [f"file,{column}", *(f"{file},{file.partition('-')[0]}" for file in photos)]
        (root / "data" / name / table).write_text("\n".join(rows))
    (root / "data" / "texts").mkdir()
    (root / "data" / "texts" / "words.csv").write_text("a,b\n")
    return root


def test_the_suite_runs_every_set_there_is_and_keeps_queries_for_choices_apart(tmp_path, settings):
    rows = json.loads(evaluate("--suite", suite(tmp_path), "--json"))
    assert [(row["set"], row["level"], row["used_for"], row["gallery"]) for row in rows] == [
        ("goods", "class", "figures", 4), ("pairs", "product", "figures", 4),
        ("shop", "class", "choices", 16), ("shop", "class", "figures", 16),
    ]  # fmt: skip
    # Each validation photo is used once, for the one or for the other.
    assert sum(row["queries"] for row in rows if row["set"] == "shop") == 2 * EACH
    assert all(row["recall_at_1"] == 1 and row["intervals"]["recall_at_1"] == [1, 1] for row in rows)

    table = evaluate("--suite", tmp_path, "--against", "bundled", "--encoder", "bundled").splitlines()
    assert table[0].split() == ["set", "find", "used", "for", "queries", "gallery", "encoder", "Recall@1", "mAP"]
    assert "1.000 (1.000 to 1.000)" in table[1]
    assert len(table) == 1 + len(rows)


def test_the_suite_says_what_it_needs(tmp_path, queries, settings):
    def refused(*arguments: object) -> str:
        with pytest.raises(CommandError) as caught:
            evaluate(*arguments)
        return str(caught.value)

    (tmp_path / "none").mkdir()
    assert "has no set of photos: a set is a folder with train and validation" in refused("--suite", tmp_path / "none")
    assert "is not a folder" in refused("--suite", tmp_path / "nowhere")
    assert "leave out --queries, --one-view" in refused("--suite", tmp_path, "--queries", queries, "--one-view")
