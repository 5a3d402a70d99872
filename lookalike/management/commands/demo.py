"""manage.py demo: draw, embed and index a demo shop in a minute."""

from __future__ import annotations

import argparse
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from catalog.models import Product
from embeddings.backends import get_vector_index
from embeddings.errors import EmbeddingsError, IndexLocked
from embeddings.indexing import process_outbox
from embeddings.management.errors import command_error
from jobs import arguments
from jobs.progress import stage_bars
from jobs.storage import StorageUnavailable
from recommender.pipeline import similar_to
from recommender.queries import SimilarQuery
from storefront.demo.loading import load_demo

MAX_PRODUCTS = 100_000
LOGIN = PASSWORD = "demo"  # noqa: S105


class Command(BaseCommand):
    help = "Draw a demo catalogue, embed and index it, and show a first recommendation. Safe to run again."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--count",
            type=arguments.whole_number(1, MAX_PRODUCTS),
            default=300,
            help="number of products (default: %(default)s)",
        )
        parser.add_argument(
            "--port",
            type=arguments.whole_number(1, 65_535),
            default=8000,
            help="port in the printed URLs (default: %(default)s)",
        )

        parser.add_argument(
            "--migrate",
            action="store_true",
            help="bring the database up to date first, as `migrate` does, without another start of Python",
        )

    def handle(self, *, count: int, port: int, migrate: bool, **_: Any) -> None:
        if migrate:
            call_command("migrate", verbosity=0)
        with tqdm(total=count, desc="drawing", unit="product", disable=None) as bar:
            try:
                products = load_demo(count, on_progress=bar.update)
            except StorageUnavailable as error:
                raise CommandError(f"{error}; the products saved so far stay.") from error
        self.stdout.write(f"{len(products)} products in the catalogue")
        try:
            with stage_bars() as on_progress:
                report = process_outbox(on_progress=on_progress)
            self.stdout.write(str(report))
            if products:
                self._show_recommendations(products[0])
        except IndexLocked:
            self.stdout.write("A server is running; it indexes the photos within seconds.")
        except EmbeddingsError as error:
            raise command_error(error) from error
        finally:
            get_vector_index().close()
        self._show_urls(port, products)

    def _show_recommendations(self, product: Product) -> None:
        recommendations = similar_to(product.pk, SimilarQuery(limit=4))
        self.stdout.write(f"\nProducts similar to “{product.title}”:")
        for result in recommendations.results:
            score = "" if result.score is None else f"{result.score:.3f}  "
            self.stdout.write(f"  {score}{result.product.title}")

    def _show_urls(self, port: int, products: list[Product]) -> None:
        base = f"http://127.0.0.1:{port}"
        login = ""
        if settings.DEBUG:
            _ensure_login()
            login = f"  (sign in as {LOGIN}, password {PASSWORD})"
        self.stdout.write(f"\n  shop   {base}/\n  admin  {base}/admin/{login}\n  API    {base}/api/docs")
        if products:
            self.stdout.write(f"  try    curl '{base}/api/products/{products[0].pk}/similar?limit=4'")


def _ensure_login() -> None:
    users = get_user_model().objects
    if not users.filter(username=LOGIN).exists():
        users.create_superuser(LOGIN, f"{LOGIN}@example.com", PASSWORD)
