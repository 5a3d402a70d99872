"""The Python client, built and installed into an empty folder, used against a running shop by a Python that has nothing else."""

from __future__ import annotations

import filecmp
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command

from accounts import keys
from accounts.models import ApiKey
from recommender.models import Event
from tests.catalog.shop import stock
from tests.clients.conftest import ServedShop
from tests.factories import jpeg

ROOT = Path(settings.BASE_DIR)
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def package() -> Iterator[Path]:
    """The exported package."""
    with tempfile.TemporaryDirectory() as folder:
        call_command("export_client", out=Path(folder) / "client", verbosity=0, stdout=sys.stderr)
        yield Path(folder) / "client"


@pytest.fixture(scope="module")
def installed(package: Path) -> Path:
    """An empty folder with the package installed, without any index of packages."""
    target = package.parent / "site"
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
    subprocess.run([sys.executable, "-m", "pip", "install", *offline, "--target", target, package], check=True)
    return target


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Run:
    """Runs a script with the client and the standard library, and returns the JSON that it prints."""

    def run(script: str, *arguments: str) -> Any:
        lines = f"import json, sys; sys.path.insert(0, {str(installed)!r})\nfrom lookalike_client import *\n{script}"
        # -S leaves out the packages of this environment.
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-W", "error", "-c", lines, *arguments],
            capture_output=True, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_similar_products_words_photo_and_batch(run: Run, shop: ServedShop, tmp_path: Path) -> None:
    (tmp_path / "query.jpg").write_bytes(jpeg("blue"))
    script = """
from pathlib import Path
client = Client(sys.argv[1])
similar = client.similar_by_sku("MUG/17", limit=5)
blue = client.similar(similar.product, attributes={"colour": "blue"})
words = client.text_search(text="cup", facets=True)
photo = client.search("all", photo=Path("query.jpg"), limit=2)
bytes_of_it = client.search("all", photo=Path("query.jpg").read_bytes(), limit=2)
batch = client.similar_batch(["MUG/17", "GONE"], limit=1)
print(json.dumps({
    "similar": sorted(each.product.title for each in similar.results),
    "price": str(similar.results[0].product.price + 1),
    "blue": [each.product.title for each in blue.results],
    "words": [each.product.title for each in words.results],
    "count": words.count,
    "photo": len(photo.results), "same": photo == bytes_of_it,
    "batch": [each.status for each in batch.results],
    "problem": batch.results[1].problem.type,
    "pages": [each.title for each in client.all_products(page_size=1)],
    "strip": "<li" in client.similar_html_by_sku("MUG/17"),
}))
"""
    answer = run(script, shop.url)

    assert answer == {
        "similar": ["Red mug", "Tea cup"],
        "price": "13.50",
        "blue": ["Tea cup"],
        "words": ["Tea cup"],
        "count": 1,
        "photo": 2,
        "same": True,
        "batch": ["ok", "error"],
        "problem": "urn:problem-type:lookalike:product-not-found",
        "pages": ["Tea cup", "Red mug", "Blue mug"],
        "strip": True,
    }


def test_the_example_of_the_guide_runs(run: Run, shop: ServedShop, tmp_path: Path) -> None:
    key = keys.create(ApiKey(name="shop system", kind=ApiKey.Kind.SECRET, may_import=True)).text
    stock(sku="MUG-17")
    (tmp_path / "mug.jpg").write_bytes(jpeg("blue"))
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "how-to" / "api.md").read_text(), re.DOTALL)
    example = example.replace("http://127.0.0.1:8000", shop.url).replace("sk_...", key)

    assert run(f"print = lambda *_: None\n{example}\nsys.stdout.write(json.dumps(str(product.price)))") == "12.90"


def test_an_event_is_stored(run: Run, shop: ServedShop) -> None:
    script = """
client = Client(sys.argv[1])
answer = client.similar_by_sku("MUG/17")
click = {"type": "click", "sku": "MUG/17", "result": answer.results[0].product.id, "position": 1,
         "collection": answer.collection, "encoder": answer.encoder}
print(json.dumps(client.events([click]).accepted))
"""
    assert run(script, shop.url) == 1
    assert Event.objects.get().product_id == shop.mug.pk


def test_products_are_written_with_a_secret_key(run: Run, shop: ServedShop, tmp_path: Path) -> None:
    (tmp_path / "tray.jpg").write_bytes(jpeg("green"))
    key = keys.create(ApiKey(name="shop system", kind=ApiKey.Kind.SECRET, may_import=True)).text
    script = """
from pathlib import Path
client = Client(sys.argv[1], key=sys.argv[2])
made = client.put_product("A/1", "Tray", price="7.50", tags=["round"], photos=[Path("tray.jpg")])
changed = client.patch_product("A/1", price=None, idempotency_key="once")
batch = client.product_batch([{"sku": "A/1", "available": False}])
client.delete_product("A/1")
try:
    client.product_by_sku("A/1")
except NotFound as error:
    gone = error.kind
print(json.dumps([str(made.price), made.tags, len(made.images), changed.price, batch.ok, gone]))
"""
    assert run(script, shop.url, key) == ["7.50", ["round"], 1, None, 1, "product-not-found"]


def test_errors_are_exceptions_with_the_problem(run: Run, shop: ServedShop) -> None:
    script = """
def of(call):
    try:
        call()
    except LookalikeError as error:
        return [type(error).__name__, getattr(error, "kind", None), getattr(error, "errors", None)]
client = Client(sys.argv[1])
print(json.dumps([
    of(lambda: client.similar_by_sku("GONE")),
    of(lambda: client.similar_by_sku("MUG/17", limit=0)),
    of(lambda: client.patch_product("MUG/17", price=1)),
    of(lambda: Client(sys.argv[1], key="sk_unknown").collections()),
    of(lambda: Client("http://127.0.0.1:9", timeout_s=5).collections()),
]))
"""
    missing, limit, write, key, nobody = run(script, shop.url)

    assert missing[:2] == ["NotFound", "product-not-found"]
    assert limit[:2] == ["BadRequest", "invalid-parameters"]
    assert list(limit[2]) == ["limit"]
    assert write[0] in ("Unauthorized", "Forbidden")
    assert key[0] == "Unauthorized"
    assert nobody[0] == "NoAnswer"


def test_the_same_schema_gives_the_same_files(package: Path, tmp_path: Path) -> None:
    call_command("export_client", out=tmp_path / "again", stdout=sys.stderr)

    names = [
        "pyproject.toml",
        "README.md",
        *(f"lookalike_client/{name}.py" for name in ("client", "models", "transport")),
    ]
    assert filecmp.cmpfiles(package, tmp_path / "again", names, shallow=False) == (names, [], [])


def test_its_code_is_typed_and_in_the_style_of_ours(package: Path, tmp_path: Path) -> None:
    bin_folder = Path(sys.executable).parent
    for command in (
        [bin_folder / "mypy", "--strict", "--cache-dir", tmp_path, package / "lookalike_client"],
        [bin_folder / "ruff", "check", "--no-cache", "--config", ROOT / "pyproject.toml", package / "lookalike_client"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, cwd=package, check=False)
        assert done.returncode == 0, done.stdout
