"""The images: small, unprivileged, and without unneeded files."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import tomllib
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.deploy.files import DEPLOY, ROOT, compose, stages

PINS = runpy.run_path(str(DEPLOY / "pins.py"))
IMAGES = ("runtime", "trainer", "proxy")


def kept_out(path: str) -> bool:
    """Whether .dockerignore excludes a path of the repository from a build; it lists what is included."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    let_in = [line[1:] for line in lines if line.startswith("!")]
    out_again = [line for line in lines[1:] if not line.startswith("!")]
    inside = any(path == entry or path.startswith(f"{entry}/") for entry in let_in)
    return not inside or any(Path(path).match(pattern) or Path(path).match(f"{pattern}/*") for pattern in out_again)


def test_the_dockerfile_passes_its_linter():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, DEPLOY / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_is_there_and_let_in():
    for instructions in stages().values():
        for instruction, rest in instructions:
            if instruction == "COPY" and not rest.startswith("--from"):
                *sources, _target = rest.split()
                for source in sources:
                    assert (ROOT / source).exists(), source
                    assert not kept_out(source), source


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git/config",
        "deploy/secrets/secret_key",
        "var/media/a.jpg",
        "tests/conftest.py",
        "catalog/__pycache__/x.pyc",
    ],
)
def test_what_is_nobodys_business_is_kept_out(path):
    assert kept_out(path)


def test_the_code_that_runs_comes_along():
    for path in (
        "manage.py",
        "recommender/static/recommender/widget/similar.js",
        "embeddings/encoders/bundled/model.tflite",
    ):
        assert (ROOT / path).exists()
        assert not kept_out(path)


def test_the_trainer_alone_has_tensorflow():
    requirements = {name: (ROOT / "requirements" / f"{name}.txt").read_text() for name in ("runtime", "train")}
    has = {name: bool(re.search(r"^tensorflow==", text, re.MULTILINE)) for name, text in requirements.items()}
    assert has == {"runtime": False, "train": True}
    packages = {image: [rest for _, rest in stages()[image] if "/opt/venv" in rest] for image in ("runtime", "trainer")}
    assert packages == {
        "runtime": ["--from=runtime-packages /opt/venv /opt/venv"],
        "trainer": ["--from=trainer-packages /opt/venv /opt/venv"],
    }


@pytest.mark.parametrize(
    ("extra", "package"), [("heif", "pillow-heif"), ("faiss", "faiss-cpu"), ("text", "tokenizers")]
)
def test_an_image_may_have_what_an_extra_names(extra: str, package: str):
    runtime, more = ((ROOT / "requirements" / f"{name}.txt").read_text() for name in ("runtime", extra))
    packages = [re.findall(r"^[\w.-]+==[^\s;]+", text, re.MULTILINE) for text in (runtime, more)]
    assert set(packages[1]) - set(packages[0]) == {name for name in packages[1] if name.startswith(f"{package}==")}
    assert set(packages[0]) < set(packages[1])
    assert any(f"requirements/{extra}.txt" in rest for _, rest in stages()["runtime-packages"])


def test_an_image_may_have_what_takes_traces():
    versions = {
        name: dict(
            re.findall(r"^([\w.-]+==)([^\s;]+)", (ROOT / "requirements" / f"{name}.txt").read_text(), re.MULTILINE)
        )
        for name in ("runtime", "otel", "train")
    }
    # Contains all packages of the plain image in the same versions, and none that conflicts with the trainer.
    assert versions["runtime"].items() <= versions["otel"].items()
    assert "opentelemetry-sdk==" in versions["otel"]
    shared = versions["otel"].keys() & versions["train"].keys()
    assert {name: versions["otel"][name] for name in shared} == {name: versions["train"][name] for name in shared}
    assert ("ARG", "REQUIREMENTS=runtime") in stages()["runtime-packages"]
    assert all((ROOT / "requirements" / f"{name}.txt").is_file() for name in ("runtime", "otel"))


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_ends_as_somebody_without_rights(image):
    users = [rest for instruction, rest in stages()[image] if instruction == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_says_how_it_is_stopped(image):
    assert "STOPSIGNAL" in dict(stages()[image])


def test_every_package_is_checked_by_its_hash():
    installs = [rest for instructions in stages().values() for _, rest in instructions if " install " in rest]
    assert len(installs) == 2
    assert all("--require-hashes" in install for install in installs)


def test_what_a_process_writes_to_belongs_to_it():
    (prepared,) = [rest for _, rest in stages()["code"] if "chown" in rest]
    owned = {f"/app/{folder}" for folder in prepared.partition("chown 10001:10001 ")[2].split()}
    mounted = {
        volume.split(":")[1]
        for service in compose()["services"].values()
        for volume in service["volumes" if "volumes" in service else "tmpfs"]
        if ":/app/" in volume
    }
    assert owned == mounted


def test_an_images_own_command_is_that_of_its_service():
    services = compose()["services"]
    for image, service in (("runtime", "recommender"), ("trainer", "trainer")):
        command = dict(stages()[image])["CMD"]
        assert re.findall(r'"([^"]+)"', command) == services[service]["command"]


def test_every_image_of_others_is_listed_with_the_day_it_was_looked_at():
    pins = tomllib.loads((DEPLOY / "pins.toml").read_text())["images"]
    assert PINS["used"]() == set(pins)
    assert all(re.search(r":v?\d+\.\d+", image) for image in pins)


def test_an_image_that_nobody_has_looked_at_for_long_is_named():
    day = date(2026, 1, 1)
    pins = {"redis:7.4.4": day, "postgres:17.5": day + timedelta(days=1)}
    lines, is_wrong = PINS["report"](pins, {*pins}, day + PINS["OLD"] + timedelta(days=1))
    assert [line.split(" was ")[0] for line in lines] == ["OLD: redis:7.4.4"]
    assert not is_wrong
    lines, is_wrong = PINS["report"](pins, {"redis:7.4.4", "nginx:1.28.0"}, day)
    assert is_wrong
    assert [line.split(": add")[0].split(": remove")[0] for line in lines] == [
        "NOT LISTED: nginx:1.28.0",
        "NOT USED: postgres:17.5",
    ]
