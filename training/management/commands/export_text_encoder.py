"""manage.py export_text_encoder: the text encoder as the files that serving runs, in ENCODERS_ROOT."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from embeddings.text_encoders import register_text_encoder
from embeddings.versions import create_staging_folder, delete_staging_folder
from stores import base as stores
from training.management.tensorflow import require_tensorflow


class Command(BaseCommand):
    help = (
        "Write the text encoder all-MiniLM-L6-v2 as LiteRT int8 into ENCODERS_ROOT. Its weights come with the extra `train`. "
        "use_text_encoder puts it into use."
    )

    def handle(self, **_: Any) -> None:
        folder = create_staging_folder()
        try:
            require_tensorflow()
            from training import minilm

            figures = minilm.export(folder)
            name = register_text_encoder(folder)
        except EmbeddingsError as error:
            raise command_error(error) from error
        finally:
            delete_staging_folder(folder)
        size = sum(stored.size for stored in stores.encoders().walk(name))
        self.stdout.write(
            f"{name}: {size / 1e6:.1f} MB; cosine to the float32 network: mean {figures['mean']:.4f},"
            f" lowest {figures['lowest']:.4f}"
        )
        self.stdout.write(f"To use it: manage.py use_text_encoder {name}")
