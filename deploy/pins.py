"""Are the images of others that deployments run listed in pins.toml, and which has nobody looked at for long?

Fails where an image is used that is not listed, or listed and not used; names those that are old.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

HERE = Path(__file__).parent
OLD = timedelta(days=90)
OWN = re.compile(r"lookalike|\$\{")

_IN_COMPOSE = re.compile(r"^\s*image: (\S+)$", re.MULTILINE)
_IN_DOCKERFILE = re.compile(r"^ARG \w+_IMAGE=(\S+)$", re.MULTILINE)
_IN_OVERLAY = re.compile(r"newName: ([^,\s]+), newTag: ([^}\s]+)\}")


def used(folder: Path = HERE) -> set[str]:
    """The images of others in the files of the deployments.

    Args:
        folder: this one; docker-compose.yml is beside it.

    Returns:
        Names with tags.
    """
    return {image for image in _found(folder) if not OWN.search(image)}


def _found(folder: Path) -> Iterator[str]:
    for path in (folder.parent / "docker-compose.yml", *sorted(folder.glob("*/*.yml"))):
        yield from (image for image in _IN_COMPOSE.findall(path.read_text()) if ":" in image)
    yield from _IN_DOCKERFILE.findall((folder / "Dockerfile").read_text())
    for path in sorted(folder.glob("kubernetes/overlays/*/kustomization.yaml")):
        yield from (f"{name}:{tag}" for name, tag in _IN_OVERLAY.findall(path.read_text()))


def report(pins: dict[str, date], images: set[str], today: date) -> tuple[list[str], bool]:
    """What is wrong with the pins.

    Args:
        pins: the day of each listed image.
        images: those in use.
        today: to compare with.

    Returns:
        A line for each image that is old, missing or not used; and whether one is missing or not used.
    """
    lines = [
        f"OLD: {image} was last looked at on {day}: compare it with its newest patch release, and set the day in deploy/pins.toml"
        for image, day in sorted(pins.items())
        if today - day > OLD
    ]
    wrong = [f"NOT LISTED: {image}: add it to deploy/pins.toml" for image in sorted(images - pins.keys())]
    wrong += [f"NOT USED: {image}: remove it from deploy/pins.toml" for image in sorted(pins.keys() - images)]
    return [*lines, *wrong], bool(wrong)


def main() -> int:
    """The exit status: 1 where list and files differ."""
    lines, is_wrong = report(tomllib.loads((HERE / "pins.toml").read_text())["images"], used(), date.today())
    for line in lines:
        print(line)
    return int(is_wrong)


if __name__ == "__main__":
    sys.exit(main())
