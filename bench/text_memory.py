"""How much memory a web process takes with the text encoder loaded, beside one that searches by words alone.

Usage: python -m bench.text_memory [--products 300] [--python .venv/bin/python]
Proportional set size of the serving process after searches by words and by a photo. What the embedded engine has
mapped of its files counts. --python: of another environment, which serves: with the packages of tests and trainings installed
beside them, libraries import more. `requirements/runtime.txt` is what `make demo` and images install.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import httpx

from bench.demo_shop import demo_shop
from bench.tables import Row, publish
from bench.text_relevance import exported_encoder
from embeddings.encoders.text import fingerprint_of, name_of
from storefront.demo.catalogue import DemoProduct, demo_products, draw_view

# Each of four threads comes by.
ROUNDS = 40


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=300)
    parser.add_argument("--python", default=sys.executable, help="of the environment that serves")
    options = parser.parse_args()
    products = demo_products(count=options.products)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ENCODERS_ROOT"] = folder
        made = exported_encoder(Path(folder)).folder
        name = name_of(fingerprint_of(made))
        made.rename(Path(folder) / name)
        rows: list[Row] = []
        for label, prepare in (("words alone", ()), ("with the text encoder", ("use_text_encoder", name))):
            shop = demo_shop(products=options.products, debug=True, prepare=prepare, python=options.python)
            with shop as (address, _):
                rows.append(_measured(label, address, products))
    publish("text_memory", rows, {"products": options.products})


def _measured(name: str, address: str, products: Sequence[DemoProduct]) -> Row:
    photo = io.BytesIO()
    draw_view(products[0], 0).save(photo, "JPEG")
    with httpx.Client(base_url=address, timeout=60) as client:
        for number in range(ROUNDS):
            text = f"{products[number % len(products)].category_names[-1]} for a rainy day"
            client.get("/api/search", params={"text": text}).raise_for_status()
        files = {"photo": photo.getvalue()}
        client.post("/api/collections/all/search", files=files).raise_for_status()
    sizes = [_proportional_mb(pid) for pid in _descendants(os.getpid())]
    return {"web process": name, "MB": max(sizes)}


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *_descendants(child))]


def _proportional_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    main()
