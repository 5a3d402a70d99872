"""What a collection covers is said explicitly, and a category that one covers cannot be deleted."""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def say_explicitly(apps: Any, _schema_editor: Any) -> None:
    """Collections of no categories have covered the whole catalogue."""
    apps.get_model("embeddings", "Collection").objects.filter(categories=None).update(covers_all=True)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0005_unused_files_and_findings"), ("embeddings", "0001_initial")]

    operations = [
        migrations.AddField(
            "collection",
            "covers_all",
            models.BooleanField(default=False, verbose_name="covers the whole catalogue"),
        ),
        # The table stays as it is.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    "CollectionCategory",
                    [
                        ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                        (
                            "category",
                            models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="catalog.category"),
                        ),
                        (
                            "collection",
                            models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="embeddings.collection"),
                        ),
                    ],
                    options={
                        "verbose_name": "category of a collection",
                        "verbose_name_plural": "categories of collections",
                        "db_table": "embeddings_collection_categories",
                        "unique_together": {("collection", "category")},
                    },
                ),
                migrations.AlterField(
                    "collection",
                    "categories",
                    models.ManyToManyField(
                        blank=True,
                        help_text="With everything below them. A collection of none covers nothing, unless it covers the whole catalogue.",
                        through="embeddings.CollectionCategory",
                        to="catalog.category",
                        verbose_name="categories",
                    ),
                ),
            ]
        ),
        migrations.RunPython(say_explicitly, migrations.RunPython.noop),
    ]
