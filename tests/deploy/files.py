"""Reads the files of the deployment: Compose files as `docker compose config` resolves them, overlays built by kubectl."""

from __future__ import annotations

import importlib.resources
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
OVERLAYS = ("small", "production")
# The minimal `.env`.
ENV_FILE = {"ALLOWED_HOSTS": "shop.example"}

_REFERENCE = re.compile(r"\$(?:\$|\{(\w+)(?:(:-|:\?)([^}]*))?\})")


class VariableMissing(Exception):
    """A variable that the compose file requires is not set; the message is that of the compose file."""


def compose(path: Path = ROOT / "docker-compose.yml", variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The compose file with these variables filled in. Raises VariableMissing if X of `${X:?message}` is not set."""
    variables = ENV_FILE if variables is None else variables
    composed: dict[str, Any] = _filled(yaml.safe_load(path.read_text()), variables)
    for service in composed["services"].values():
        if isinstance(given := service.get("environment"), dict):
            # A name without a value has that of `.env`, or the container does not have the variable.
            filled = {name: variables.get(name) if value is None else value for name, value in given.items()}
            service["environment"] = {name: value for name, value in filled.items() if value is not None}
    return composed


def compose_schema() -> dict[str, Any]:
    """The Compose Specification's own schema."""
    vendored = importlib.resources.files("check_jsonschema.builtin_schemas.vendor")
    found: dict[str, Any] = json.loads((vendored / "compose-spec.json").read_text())
    return found


def _filled(node: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _filled(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, variables) for value in node]
    return _REFERENCE.sub(lambda match: _value(match, variables), node) if isinstance(node, str) else node


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    name, operator, otherwise = match.groups()
    if name is None:
        return "$"
    if value := variables.get(name):
        return value
    if operator == ":?":
        raise VariableMissing(f"{name}: {otherwise}")
    return otherwise or ""


def references(path: Path) -> set[str]:
    """The variables that a compose file uses."""
    text = path.read_text()
    passed_on = re.findall(r"^ +([A-Z][A-Z0-9_]+):$", text, re.MULTILINE)
    return {match[1] for match in _REFERENCE.finditer(text) if match[1]} | {*passed_on}


def services(composed: Mapping[str, Any], image: str = "lookalike") -> dict[str, Any]:
    """The services that run the project's own code; not the proxy."""
    return {
        name: service
        for name, service in composed["services"].items()
        if re.match(rf"{image}(-trainer)?(:|$)", service["image"])
    }


def rendered(overlay: str | Path) -> list[dict[str, Any]]:
    """The manifests of an overlay, by name or folder, built by kubectl without a cluster. Skips the test if kubectl is missing."""
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl to resolve the overlays with")
    done = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / "kubernetes" / "overlays" / overlay)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def of_kind(manifests: list[dict[str, Any]], *kinds: str) -> dict[str, dict[str, Any]]:
    """The manifests of these kinds by their names."""
    return {each["metadata"]["name"]: each for each in manifests if each["kind"] in kinds}


def pods(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pod templates by the name of their workload."""
    made = of_kind(manifests, "Deployment", "StatefulSet", "Job")
    return {name: manifest["spec"]["template"] for name, manifest in made.items()}


def container(template: Mapping[str, Any]) -> dict[str, Any]:
    """The one container of a pod."""
    (only,) = template["spec"]["containers"]
    found: dict[str, Any] = only
    return found


def known_variables() -> set[str]:
    """The environment variables of the settings, as listed in .env.example, each also with the suffix _FILE."""
    listed = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    return listed | {f"{name}_FILE" for name in listed}


def fetching() -> set[str]:
    """The processes that fetch something from the internet, as docs/how-to/deploy.md lists them."""
    text = (ROOT / "docs" / "how-to" / "deploy.md").read_text()
    rows = [line.strip("|").split("|") for line in text.splitlines() if re.match(r"\| [\w, ]+ \|.*\| lookalike", line)]
    return {name.strip() for processes, *_, fetched in rows if fetched.strip() for name in processes.split(",")}


def stages() -> dict[str, list[tuple[str, str]]]:
    """The Dockerfile's stages, each with its instructions as pairs."""
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE))
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for line in filter(None, (line.strip() for line in text.splitlines())):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            name = rest.split()[-1]
            found[name] = []
        found.setdefault(name, []).append((instruction, rest.strip()))
    return found


def commands_of(document: Path, heading: str) -> Iterator[list[str]]:
    """The commands in the shell blocks below a heading, up to the next one of any level; each as its words."""
    _, found, rest = document.read_text().partition(f"\n{heading}\n")
    assert found, f"{document} has no {heading!r}"
    section = re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    for block in re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            if words := shlex.split(line, comments=True):
                yield words
