"""The widget's files: built from their sources, served to any page, and translated."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from recommender.api.parameters import SimilarParameters
from recommender.widget import FILES, FOLDER, integrity, release_name

ROOT = Path(settings.BASE_DIR)
SOURCES = ROOT / "widget" / "src"
LANGUAGES = {"en", "de", "fr", "es", "it", "nl", "pl", "ja"}


def test_the_served_files_are_built_from_the_sources(tmp_path: Path) -> None:
    if shutil.which("node") is None or not (ROOT / "node_modules" / "esbuild").exists():
        pytest.skip(
            "esbuild is not installed (npm ci, which `make test` runs where there is npm): nothing to build with"
        )

    subprocess.run(["node", "widget/build.js", str(tmp_path)], cwd=ROOT, check=True)

    built = {each.name: each.read_text() for each in tmp_path.iterdir()}
    served = {each.name: each.read_text() for each in FOLDER.iterdir()}
    assert built == served, "run `make widget`"


@pytest.mark.parametrize("name", ["texts.json", "photo-texts.json"])
def test_every_text_is_translated_into_every_language(name: str) -> None:
    texts: dict[str, dict[str, str]] = json.loads((SOURCES / name).read_text())

    assert set(texts) == LANGUAGES
    for language, translated in texts.items():
        assert list(translated) == list(texts["en"]), language
        for key, text in translated.items():
            assert text.strip(), (language, key)
            assert language == "en" or text != texts["en"][key], f"{key} is not translated into {language}"


def test_every_parameter_of_the_api_is_an_attribute() -> None:
    source = (SOURCES / "similar.js").read_text()
    lists, parameters = (re.search(rf"const {name} = \[(.*)\];", source) for name in ("LISTS", "PARAMETERS"))
    assert lists
    assert parameters
    attributes = set(re.findall(r'"([a-z-]+)"', lists[1] + parameters[1]))

    names = {name.split(".")[0].replace("_", "-") for name in SimilarParameters().get_fields()}
    # For developers, who ask the API itself.
    assert attributes == names - {"strict", "explain"}


@pytest.mark.django_db
def test_a_file_of_a_release_is_for_ever_and_that_of_another_one_is_not_found(client: Client) -> None:
    release = client.get(f"/widget/{release_name()}/similar.js")
    moving = client.get("/widget/v1/similar.js")

    assert b"".join(release.streaming_content) == b"".join(moving.streaming_content)
    assert "immutable" in release["Cache-Control"]
    assert "immutable" not in moving["Cache-Control"]
    for path in ("0.0.1-abcdef01/similar.js", "v1/texts.json", "v1/nothing.js"):
        assert client.get(f"/widget/{path}").status_code == 404


def test_the_command_prints_what_a_page_needs_to_pin_a_release_and_copies_the_files(tmp_path: Path) -> None:
    def printed(**options: Any) -> str:
        out = StringIO()
        call_command("widget_files", stdout=out, **options)
        return out.getvalue()

    lines = printed(base="https://reco.example/shop/")
    assert f'src="https://reco.example/shop/widget/{release_name()}/similar.js"' in lines
    assert f'integrity="{integrity("similar.js")}"' in lines
    importmap = json.loads(re.search(r'importmap">(.*)</script>', lines)[1])  # type: ignore[index]
    assert importmap["integrity"][f"https://reco.example/shop/widget/{release_name()}/photo.js"] == integrity(
        "photo.js"
    )

    lines = printed(base="https://cdn.example", output=tmp_path)
    assert f'src="https://cdn.example/{release_name()}/similar.js"' in lines
    assert {each.name for each in (tmp_path / release_name()).iterdir()} == set(FILES)
