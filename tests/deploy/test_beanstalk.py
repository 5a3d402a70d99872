"""The bundle for Elastic Beanstalk: the same images and commands as in the other deployments."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import jsonschema
import pytest
import yaml

from tests.deploy.files import DEPLOY, compose, compose_schema, known_variables, services

BUNDLE = DEPLOY / "beanstalk"
IMAGES = {
    "LOOKALIKE_IMAGE": "lookalike:1.0",
    "LOOKALIKE_TRAINER_IMAGE": "lookalike-trainer:1.0",
    "LOOKALIKE_PROXY_IMAGE": "lookalike-proxy:1.0",
}
# Variables of the bundle itself, besides those of the settings.
OURS = {*IMAGES, "COMPOSE_PROFILES", "EFS_ID"}


def bundle() -> dict[str, Any]:
    return compose(BUNDLE / "docker-compose.yml", IMAGES)


def extension(name: str) -> Any:
    return yaml.safe_load((BUNDLE / ".ebextensions" / name).read_text())


def test_it_is_valid():
    jsonschema.validate(bundle(), compose_schema())


def test_what_runs_is_what_runs_elsewhere():
    ours = compose()["services"]
    for name, service in services(bundle()).items():
        if name != "migrated":
            assert service["command"] == ours[name]["command"]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert bundle()["services"].keys() - {"migrated"} == {
        "proxy",
        "catalog",
        "recommender",
        "worker",
        "jobs",
        "trainer",
        "beat",
    }


def test_an_environment_serves_or_works_or_does_both():
    profiles = {name: service["profiles"] for name, service in bundle()["services"].items()}
    assert {name for name in profiles if "web" in profiles[name]} == {"proxy", "catalog", "recommender", "migrated"}
    assert {name for name in profiles if "worker" in profiles[name]} == {
        "worker",
        "jobs",
        "trainer",
        "beat",
        "migrated",
    }


def test_files_are_shared_by_all_instances():
    made = re.search(r"for folder in ([\w ]+);", extension("10-efs.config")["commands"]["01_mount"]["command"])
    assert made
    mounted = {
        volume.split(":")[0]
        for service in bundle()["services"].values()
        for volume in service["volumes"]
        if volume.startswith("/efs/")
    }
    assert mounted == {f"/efs/{folder}" for folder in made[1].split()}


def test_its_properties_are_variables_that_somebody_reads():
    properties = extension("00-options.config")["option_settings"]["aws:elasticbeanstalk:application:environment"]
    assert properties.keys() <= known_variables() | OURS
    assert properties["API_WRITES"] == "keys"


def test_every_property_reaches_every_process():
    for service in services(bundle()).values():
        # The file that Beanstalk writes.
        assert service["env_file"] == [".env"]
        assert service.get("environment", {}).keys() <= {"SERVICE", "PROMETHEUS_MULTIPROC_DIR", "HEALTH_PORT"}


def test_one_instance_migrates():
    command = extension("20-migrate.config")["container_commands"]["01_migrate"]
    assert command["leader_only"] is True
    assert command["command"].endswith(" ".join(compose()["services"]["migrate"]["command"]))
    assert set(re.findall(r"--env (\w+)", command["command"])) <= known_variables()


def test_its_shell_is_shell():
    hook = BUNDLE / ".platform" / "hooks" / "prebuild" / "10_registry.sh"
    assert hook.stat().st_mode & 0o111
    scripts = [
        hook.read_text(),
        extension("10-efs.config")["commands"]["01_mount"]["command"],
        extension("20-migrate.config")["container_commands"]["01_migrate"]["command"],
    ]
    for script in scripts:
        subprocess.run(["sh", "-n"], input=script, text=True, check=True, timeout=30)


@pytest.mark.parametrize("missing", IMAGES)
def test_an_image_that_is_not_named_is_missed_by_name(missing):
    with pytest.raises(Exception, match=missing):
        compose(BUNDLE / "docker-compose.yml", {name: value for name, value in IMAGES.items() if name != missing})
