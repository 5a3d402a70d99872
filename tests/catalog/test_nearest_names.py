"""Which known names come nearest to a mistyped one."""

from __future__ import annotations

import random
import time

import pytest

from catalog.nearest_names import nearest_names

BRANDS = ["Harbour", "Pier", "Pearl", "North Pier", "Maison Étoile"]
CATEGORIES = ["clothing", "clothing/shirts", "clothing/skirts", "home/mugs", "home"]


@pytest.mark.parametrize(
    ("typed", "known", "nearest"),
    [
        ("Peir", BRANDS, ["Pier", "Pearl"]),
        ("HARBOR", BRANDS, ["Harbour"]),
        ("maison etoile", BRANDS, ["Maison Étoile"]),
        ("shirts", CATEGORIES, ["clothing/shirts", "clothing/skirts"]),
        ("cloting/shirts", CATEGORIES, ["clothing/shirts", "clothing/skirts", "clothing"]),
        ("xylophone", BRANDS, []),
        ("Pier", [], []),
    ],
)
def test_the_nearest_come_first(typed: str, known: list[str], nearest: list[str]) -> None:
    assert nearest_names(typed, known) == nearest


def test_ten_thousand_long_names_take_a_moment() -> None:
    generator = random.Random(1)
    names = ["".join(generator.choices("abcdefghij", k=120)) for _ in range(10_000)]

    started = time.process_time()
    found = nearest_names(names[7000][:-2] + "zz", names)

    assert found[0] == names[7000]
    assert time.process_time() - started < 3
