"""The WooCommerce plug-in: its PHP is valid, and its own unit tests pass. They need PHP."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

FOLDER = Path(settings.BASE_DIR) / "integrations" / "woocommerce"

pytestmark = pytest.mark.skipif(shutil.which("php") is None, reason="there is no php to run the plug-in with")


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.php")), ids=lambda path: path.name)
def test_php_accepts_each_file(path: Path) -> None:
    done = subprocess.run(["php", "-l", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_unit_tests_of_the_plug_in_pass() -> None:
    done = subprocess.run(["php", FOLDER / "tests" / "run.php"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall("^ok ", done.stdout, re.MULTILINE)) == 13
