"""The synthetic shop of bench/filter_recall.py: clusters of vectors, and what a shop knows of the products in them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

DEPARTMENTS = 10
KINDS = 8  # of a department
BRANDS = 200
TAGS = 120
COLOURS = ("black", "white", "blue", "red", "green", "grey", "beige", "brown")
CURRENCIES = ("EUR", "USD")
POINTS_A_CLUSTER = 50
QUERIES = 100
SEED = 7

Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Geometry:
    """How vectors lie.

    Attributes:
        department: weight of the direction that a department has in common; 0: it is a set of unrelated clusters.
        kind: the same, of a kind within a department.
        noise: how far points are from the centre of their cluster.
    """

    department: float
    kind: float
    noise: float


GEOMETRIES = {
    "clusters": Geometry(0.0, 0.0, 0.7),
    "departments": Geometry(0.6, 0.6, 0.7),
    "tight": Geometry(0.0, 0.0, 0.1),
}


@dataclass(frozen=True)
class Products:
    """Products with one photo each: arrays with a row for each.

    Attributes:
        vectors: float32 [n, dim], of unit length.
        department, kind, brand, colour, currency: int64 [n].
        price: float64 [n].
        available: bool [n].
        tags: bool [n, TAGS].
    """

    vectors: Vectors
    department: Numbers
    kind: Numbers
    brand: Numbers
    colour: Numbers
    currency: Numbers
    price: NDArray[np.float64]
    available: NDArray[np.bool_]
    tags: NDArray[np.bool_]

    def __len__(self) -> int:
        """How many they are."""
        return len(self.vectors)

    def rows(self, chosen: slice) -> Self:
        """Some of them."""
        return type(self)(**{each.name: getattr(self, each.name)[chosen] for each in fields(self)})

    def payload(self, number: int) -> dict[str, Any]:
        """Of a product's point, as the catalogue would write it."""
        return {
            "product_id": number,
            "category": [self.department_path(number), self.kind_path(number)],
            "brand": f"brand {self.brand[number]}",
            "price": float(self.price[number]),
            "currency": CURRENCIES[self.currency[number]],
            "available": bool(self.available[number]),
            "active": True,
            "tags": [f"tag {tag}" for tag in np.flatnonzero(self.tags[number])],
            "attributes": [f"colour={COLOURS[self.colour[number]]}"],
        }

    def department_path(self, number: int) -> str:
        """The path of the category at the top."""
        return f"department-{self.department[number]}"

    def kind_path(self, number: int) -> str:
        """The path of the category below it."""
        return f"{self.department_path(number)}/kind-{self.kind[number]}"


def make_shop(geometry: Geometry, points: int, dim: int) -> tuple[Products, Products]:
    """Make a shop; the same one each time.

    A cluster belongs to a kind of a department (there are large and small ones), and has a price level, a brand, a colour and
    tags, from which some of its products differ.

    Args:
        geometry: how vectors lie.
        points: products of the shop.
        dim: of the vectors.

    Returns:
        The shop, and QUERIES products to look for that are not in it.
    """
    draw = np.random.default_rng(SEED)
    clusters = max(DEPARTMENTS * KINDS, points // POINTS_A_CLUSTER)
    shares = 1 / np.arange(1, DEPARTMENTS + 1)
    department = draw.choice(DEPARTMENTS, size=clusters, p=shares / shares.sum())
    kind = draw.integers(KINDS, size=clusters)
    centres = draw.normal(size=(clusters, dim))
    centres += geometry.department * draw.normal(size=(DEPARTMENTS, dim))[department]
    centres += geometry.kind * draw.normal(size=(DEPARTMENTS, KINDS, dim))[department, kind]
    level = draw.normal(3.5, 0.6, size=(DEPARTMENTS, KINDS))[department, kind] + draw.normal(0, 0.5, size=clusters)
    popular = 1 / np.arange(1, BRANDS + 1)
    # A brand is at home in one department, and sold in the others, too.
    sold = popular * np.where(np.arange(BRANDS) % DEPARTMENTS == np.arange(DEPARTMENTS)[:, None], 10, 1)
    sold /= sold.sum(axis=1, keepdims=True)
    brand = np.array([draw.choice(BRANDS, p=sold[each]) for each in department])
    colour = draw.integers(len(COLOURS), size=clusters)
    common = np.minimum(0.35, 2 / np.arange(1, TAGS + 1))
    tags = draw.random((clusters, TAGS)) < common
    sold_out = draw.random(clusters) < 0.05

    count = points + QUERIES
    of = draw.integers(clusters, size=count)
    rows = centres[of] + geometry.noise * draw.normal(size=(count, dim))
    products = Products(
        vectors=(rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32),
        department=department[of],
        kind=kind[of],
        brand=np.where(draw.random(count) < 0.2, draw.choice(BRANDS, size=count, p=popular / popular.sum()), brand[of]),
        colour=np.where(draw.random(count) < 0.4, draw.integers(len(COLOURS), size=count), colour[of]),
        currency=np.where(department[of] == DEPARTMENTS - 1, 1, 0),
        price=np.exp(level[of] + draw.normal(0, 0.3, size=count)).round(2),
        available=~sold_out[of] & (draw.random(count) < 0.92),
        tags=tags[of] ^ (draw.random((count, TAGS)) < 0.1 * common),
    )
    return products.rows(slice(points)), products.rows(slice(points, None))
