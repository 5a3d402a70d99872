"""The file of the currencies' signs has what the locales of Babel write."""

from __future__ import annotations

import json
from pathlib import Path

import product_files
from product_files.values.currencies import signs_of_locales

_FILE = Path(product_files.__file__).parent / "values" / "currency_signs.json"


def test_the_file_has_the_signs_of_all_locales_with_the_usual_currency_first() -> None:
    """If an upgrade of Babel has changed them: `python -m product_files.values.currencies` writes the file again."""
    written = {sign: tuple(codes) for sign, codes in json.loads(_FILE.read_text("utf-8")).items()}
    assert written == signs_of_locales()
