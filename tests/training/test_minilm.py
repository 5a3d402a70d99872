"""The text encoder all-MiniLM-L6-v2 as it is exported, beside what sentence-transformers answers."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: make setup")

from embeddings.backends import get_text_encoder
from embeddings.encoders.text import FILES, TextEncoder
from embeddings.text_encoders import known_text_encoders
from training import minilm

# TensorFlow's arrays are older than NumPy's keyword `copy`.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]

LONG = (
    "a ceramic mug for coffee and tea with a wide handle that keeps drinks warm for long and fits into every dishwasher "
    * 8
)
# The first entries of the vectors by sentence-transformers 6.2.0 (PyTorch 2.14.1), float32, of 128 word pieces.
REFERENCE = {
    "blue mug": [-0.08415, 0.05208, 0.00838, 0.06337, 0.02516, 0.03612],
    "mug, blue": [-0.05117, 0.0451, -0.00421, 0.04941, 0.00463, 0.04125],
    "Men's running shoes, size 42": [0.00042, 0.05639, 0.01231, 0.06424, -0.00987, -0.01946],
    "Crème brûlée set (4 pièces)": [0.06943, -0.01846, 0.00493, -0.03047, -0.08476, 0.01915],
    "USB-C to HDMI adapter 4K 60Hz": [0.06065, 0.05448, -0.02644, 0.05426, 0.01309, 0.04353],
    "椅子 wooden chair": [-0.01505, 0.02872, 0.0058, -0.01838, -0.03451, -0.05062],
    "a": [-0.03643, 0.0347, -0.04596, 0.03433, -0.08082, 0.03284],
    LONG: [-0.02032, 0.01537, 0.05264, 0.00823, 0.01119, 0.01885],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ENCODERS_ROOT, into which the encoder was exported once."""
    return tmp_path_factory.mktemp("encoders")


@pytest.fixture(scope="module")
def printed(root: Path) -> str:
    with pytest.MonkeyPatch.context() as patch:
        from django.conf import settings

        patch.setattr(settings, "ENCODERS_ROOT", root)
        out = StringIO()
        call_command("export_text_encoder", stdout=out)
    return out.getvalue()


@pytest.fixture
def exported(root: Path, printed: str, settings: Any) -> TextEncoder:
    settings.ENCODERS_ROOT = root
    return get_text_encoder(known_text_encoders()[0])


def test_the_float_network_gives_the_vectors_of_sentence_transformers() -> None:
    named = minilm.weights()
    vectors = minilm.encode(tuple(REFERENCE), named, minilm.build_network(named))
    assert vectors[:, :6] == pytest.approx(np.array([*REFERENCE.values()]), abs=2e-5)


def test_the_exported_encoder_is_within_a_cosine_of_0997_of_the_float_network(exported: TextEncoder) -> None:
    named = minilm.weights()
    vectors = minilm.encode(tuple(REFERENCE), named, minilm.build_network(named))
    assert (exported.encode([*REFERENCE]) * vectors).sum(axis=1).min() > 0.997


def test_the_command_registers_files_of_23_mb_once(root: Path, printed: str, exported: TextEncoder) -> None:
    [name] = known_text_encoders()
    assert name in printed
    assert "use_text_encoder" in printed
    assert sum((root / name / file).stat().st_size for file in FILES) < 25e6
    assert "Apache-2.0" in (root / name / minilm.CARD).read_text()
    assert [path.name for path in root.iterdir()] == [name]
