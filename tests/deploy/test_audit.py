"""The audit of the pinned packages, with simulated results of pip-audit: tests do not use its services."""

import json
import os
import subprocess
import sys

import pytest

from tests.deploy.files import ROOT

KNOWN = {"name": "django", "version": "5.2.1", "vulns": []}
VULNERABLE = {"name": "pillow", "version": "11.3", "vulns": [{"id": "CVE-2026-1", "fix_versions": ["11.4", "12.1"]}]}
UNKNOWN = {"name": "numpy", "skip_reason": "Dependency not found"}


@pytest.fixture
def audit(tmp_path):
    """Runs the audit with these results per service: packages, None for an unreachable service, or "refused"."""

    def run(**services):
        (tmp_path / "pip_audit.py").write_text(f"""
import json, sys
packages = json.loads({json.dumps(json.dumps(services))})[sys.argv[-2].partition("=")[2]]
if packages is None:
    sys.exit("Traceback ...\\nrequests.exceptions.ConnectionError: no route")
if packages == "refused":
    sys.exit("ERROR:pip_audit._cli:package certifi has duplicate requirements")
print(json.dumps({{"dependencies": packages, "fixes": []}}))
sys.exit(any(package.get("vulns") for package in packages))
""")
        return subprocess.run(
            [sys.executable, ROOT / "requirements" / "audit.py"],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def test_a_known_vulnerability_fails_and_says_what_mends_it(audit):
    done = audit(pypi=[KNOWN, VULNERABLE], osv=None)
    assert done.returncode == 1
    assert "VULNERABLE: pillow 11.3: CVE-2026-1, fixed in 11.4 or 12.1" in done.stdout
    assert "NOT AUDITED" not in done.stdout


def test_packages_without_one_pass(audit):
    done = audit(pypi=[KNOWN], osv=None)
    assert (done.returncode, done.stdout) == (0, "audit: 1 packages looked up, 0 vulnerable\n")


def test_a_package_that_the_service_does_not_know_is_named(audit):
    done = audit(pypi=[KNOWN, UNKNOWN], osv=None)
    assert done.returncode == 0
    assert "NOT AUDITED: 1 of 2 packages are not known to the service: numpy" in done.stdout


@pytest.mark.parametrize("first", [None, [UNKNOWN]])
def test_where_the_first_service_knows_nothing_the_second_is_asked(audit, first):
    done = audit(pypi=first, osv=[KNOWN, VULNERABLE])
    assert done.returncode == 1
    assert "2 packages looked up, 1 vulnerable" in done.stdout


@pytest.mark.parametrize("silent", [None, [UNKNOWN]])
def test_where_nobody_can_be_asked_it_says_so_aloud(audit, silent):
    done = audit(pypi=silent, osv=None)
    assert done.returncode == 0
    assert "NOT AUDITED: neither of pypi, osv can be reached" in done.stdout
    assert "no route" in done.stderr


def test_a_lock_that_cannot_be_read_fails(audit):
    done = audit(pypi="refused", osv=[KNOWN])
    assert done.returncode == 1
    assert "cannot be audited: ERROR:pip_audit._cli:package certifi has duplicate requirements" in done.stderr
