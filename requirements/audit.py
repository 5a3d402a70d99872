"""Has a package that is pinned here a known vulnerability? Fails where one has, and says aloud which could not be looked up.

pip-audit alone would call packages that its service does not know "no known vulnerabilities".
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LOCKS = sorted(HERE.glob("*.txt"))
SERVICES = ("pypi", "osv")
AWAY = re.compile(r"^(requests\.exceptions|pip_audit\._service\.interface)\.|Could not connect|not redirecting")


def main() -> int:
    """The exit status: 1 where there is a known vulnerability."""
    packages = looked_up()
    unknown = [package for package in packages.values() if "skip_reason" in package]
    vulnerable = [package for package in packages.values() if package.get("vulns")]
    for package in vulnerable:
        for hole in package["vulns"]:
            fixed = " or ".join(hole["fix_versions"]) or "no version yet"
            print(f"VULNERABLE: {package['name']} {package['version']}: {hole['id']}, fixed in {fixed}")
    if not packages:
        print(f"NOT AUDITED: neither of {', '.join(SERVICES)} can be reached, so nothing is known of these packages")
    elif unknown:
        names = ", ".join(package["name"] for package in unknown)
        print(f"NOT AUDITED: {len(unknown)} of {len(packages)} packages are not known to the service: {names}")
    print(f"audit: {len(packages) - len(unknown)} packages looked up, {len(vulnerable)} vulnerable")
    return 1 if vulnerable else 0


def looked_up() -> dict[str, Any]:
    """What the first service says that knows any of the packages, by name and version; {} where none does."""
    for service in SERVICES:
        packages = _ask(service)
        if any("skip_reason" not in package for package in packages.values()):
            return packages
        print(f"the service {service} cannot be asked from here")
    return {}


def _ask(service: str) -> dict[str, Any]:
    """What it says of the packages of all locks, of which each may pin another version; {} where it cannot be reached."""
    packages = {}
    for lock in LOCKS:
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--format=json"]
        done = subprocess.run(
            [*command, f"--requirement={lock}", f"--vulnerability-service={service}", "--progress-spinner=off"],
            capture_output=True,
            text=True,
            check=False,
        )
        if not done.stdout:
            last_line = done.stderr.strip().rpartition("\n")[2]
            if AWAY.search(last_line):
                print(last_line, file=sys.stderr)
                return {}
            sys.exit(f"{lock.name} cannot be audited: {last_line}")
        for each in json.loads(done.stdout)["dependencies"]:
            packages[f"{each['name']} {each.get('version', '')}"] = each
    return packages


if __name__ == "__main__":
    sys.exit(main())
