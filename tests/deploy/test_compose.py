"""docker-compose.yml: valid, complete, unprivileged, and without default secrets."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import jsonschema
import pytest

from lookalike.environment import Environment
from tests.deploy.files import (
    DEPLOY,
    ENV_FILE,
    ROOT,
    VariableMissing,
    compose,
    compose_schema,
    fetching,
    known_variables,
    references,
    services,
)

COMPOSE = ROOT / "docker-compose.yml"
# What the deployment decides itself: where its databases, secrets, folders and ports are. A bucket has a file of its own.
FIXED = {
    "DEBUG", "SERVICE", "SECRET_KEY", "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "QDRANT_URL", "QDRANT_API_KEY",
    "QDRANT_GRPC_PORT", "DATA_DIR", "ENCODERS_ROOT", "UPLOADS_ROOT", "SERVE_MEDIA", "PROMETHEUS_MULTIPROC_DIR",
    "HEALTH_PORT", "WORKER_METRICS_PORT",
}  # fmt: skip
# Engines that Qdrant takes the place of, and the data of tests.
UNUSED = {"INDEX_QUANTIZATION", "FAISS_INDEX", "REAL_DATA"}
OF_OPENTELEMETRY = {
    "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_SERVICE_NAME", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG",
}  # fmt: skip
STORAGE = {name for name in Environment.model_fields if name.startswith("STORAGE_")}
SERVICES = compose()["services"]
EVERY = pytest.mark.parametrize("name", sorted(SERVICES))
# The images of these services set an unprivileged user themselves.
UNPRIVILEGED = r"lookalike(-trainer|-proxy)?:|qdrant/qdrant:.*-unprivileged$"


def test_it_is_valid():
    jsonschema.validate(compose(), compose_schema())


def test_it_does_not_start_without_the_shops_names():
    with pytest.raises(VariableMissing, match="ALLOWED_HOSTS: names that the shop answers to"):
        compose(variables={})


@EVERY
def test_a_service_runs_without_rights(name):
    service = SERVICES[name]
    assert re.match(UNPRIVILEGED, service["image"]) or re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@EVERY
def test_a_service_has_limits_and_its_images_version_is_named(name):
    service = SERVICES[name]
    assert service["deploy"]["resources"]["limits"].keys() >= {"cpus", "memory"}
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert re.search(r":v?\d+\.\d+", service["image"])


@EVERY
def test_a_service_that_stays_is_asked_how_it_is(name):
    assert ("healthcheck" in SERVICES[name]) == (name != "migrate")


@EVERY
def test_what_a_service_names_is_there(name):
    composed, service = compose(), SERVICES[name]
    for volume in service.get("volumes", []):
        assert volume.startswith("/") or volume.split(":")[0] in composed["volumes"]
    assert set(service["networks"]) <= set(composed["networks"])
    for secret in service.get("secrets", []):
        assert (secret if isinstance(secret, str) else secret["source"]) in composed["secrets"]
    for other, condition in service.get("depends_on", {}).items():
        assert "profiles" not in SERVICES[other] or "profiles" in service
        assert condition["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]


@pytest.mark.parametrize("name", sorted(services(compose())))
def test_every_variable_of_the_project_is_one_that_the_settings_read(name):
    service = compose(variables=dict.fromkeys(references(COMPOSE), "given"))["services"][name]
    assert service["environment"].keys() <= known_variables() | OF_OPENTELEMETRY
    for variable, value in service["environment"].items():
        if variable.endswith("_FILE"):
            assert value.removeprefix("/run/secrets/") in service["secrets"]


@pytest.mark.parametrize("variable", sorted(Environment.model_fields.keys() - FIXED - UNUSED - STORAGE))
def test_a_setting_in_the_env_file_reaches_every_process(variable):
    given = services(compose(variables={**ENV_FILE, variable: "given"}))
    assert {name for name, each in given.items() if "given" not in each["environment"].get(variable, "")} == set()


def test_a_setting_that_is_not_given_has_its_own_default():
    deliberate = {"ALLOWED_HOSTS", "TRUSTED_PROXIES", "ENCODER_THREADS"}
    for service in services(compose()).values():
        plain = {name.removesuffix("_FILE") for name in service["environment"]}
        assert plain <= FIXED | deliberate


def test_what_the_deployment_fixes_is_not_taken_from_the_env_file():
    given = services(compose(variables={**ENV_FILE, **dict.fromkeys(FIXED | UNUSED, "given")}))
    assert not [name for name, each in given.items() if "given" in each["environment"].values()]


def test_no_secret_stands_in_the_environment():
    names = re.compile(r"PASSWORD|SECRET|KEY$|TOKEN|DATABASE_URL|REDIS_URL")
    for service in compose(variables=dict.fromkeys(references(COMPOSE), "given"))["services"].values():
        for variable in service.get("environment", {}):
            # The key of the widget is public.
            assert not names.search(variable) or variable.endswith("_FILE") or variable == "WIDGET_API_KEY"


def test_celery_is_started_with_the_project_package():
    files = [ROOT / "docker-compose.yml", DEPLOY / "Dockerfile", *DEPLOY.rglob("*.yml"), *DEPLOY.rglob("*.yaml")]
    apps = [app for file in files for app in re.findall(r'celery"?,? "?-A"?,? "?(\w+)', file.read_text())]
    assert apps
    assert {*apps} == {"lookalike"}


def test_every_variable_to_be_chosen_is_documented():
    how_to = ROOT / "docs" / "how-to"
    texts = (how_to / "deploy.md", how_to / "observe.md", ROOT / ".env.example")
    documented = "".join(path.read_text() for path in texts)
    assert [name for name in sorted(references(COMPOSE)) if name not in documented] == []


def test_databases_are_reached_by_nobody_outside():
    assert compose()["networks"]["data"] == {"internal": True}
    for name in ("postgres", "redis", "qdrant", "qdrant-2", "qdrant-3"):
        assert "ports" not in SERVICES[name]
        assert list(SERVICES[name]["networks"]) == ["data"]
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]


def test_only_those_that_fetch_something_reach_the_internet():
    internal = {name for name, network in compose()["networks"].items() if (network or {}).get("internal")}
    outside = {name for name, service in SERVICES.items() if not set(service["networks"]) <= internal}
    # Docker publishes no port of an internal network.
    assert outside == {"proxy", *fetching()}


def test_everything_waits_for_the_migration():
    for name, service in services(compose()).items():
        if name != "migrate":
            assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_every_queue_has_a_worker():
    served = [
        service["command"][service["command"].index("-Q") + 1]
        for service in SERVICES.values()
        if "-Q" in service.get("command", [])
    ]
    # One of its own for work that takes minutes, so that a price does not wait for it.
    assert sorted(served) == ["jobs", "sync,embed", "train"]


class TestCluster:
    def test_two_more_nodes_join_the_first_and_all_answer_to_one_name(self):
        nodes = {name: SERVICES[name] for name in ("qdrant", "qdrant-2", "qdrant-3")}
        assert [node.get("profiles") for node in nodes.values()] == [None, ["cluster"], ["cluster"]]
        addresses = [node["command"][-1] for node in nodes.values()]
        assert addresses == [f"http://qdrant-{number}:6335" for number in (1, 2, 3)]
        for name in ("qdrant-2", "qdrant-3"):
            assert nodes[name]["command"][1:3] == ["--bootstrap", addresses[0]]
        for name, node in nodes.items():
            assert "qdrant" in (name, *node["networks"]["data"]["aliases"])
        assert len({node["volumes"][0] for node in nodes.values()}) == 3

    def test_its_variables_spread_collections_over_the_nodes(self):
        lines = (DEPLOY / "compose" / "cluster.env").read_text().splitlines()
        variables = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
        assert variables.keys() <= references(COMPOSE)
        composed = compose(variables={"ALLOWED_HOSTS": "shop.example", **variables})["services"]
        assert {
            composed[name]["environment"]["QDRANT__CLUSTER__ENABLED"] for name in ("qdrant", "qdrant-2", "qdrant-3")
        } == {"true"}
        shards, copies = (
            int(composed["worker"]["environment"][f"QDRANT_{name}"]) for name in ("SHARD_NUMBER", "REPLICATION_FACTOR")
        )
        assert shards % 3 == 0
        assert 1 < copies < 3
        assert SERVICES["qdrant"]["environment"]["QDRANT__CLUSTER__ENABLED"] == "false"


class TestSecrets:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """The secrets of a new deployment."""
        done = subprocess.run(
            [DEPLOY / "make-secrets", tmp_path / "secrets"], capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, done.stderr
        return tmp_path / "secrets"

    def test_every_secret_is_made(self, folder):
        wanted = {Path(secret["file"]).name for secret in compose()["secrets"].values()}
        assert {path.name for path in folder.iterdir()} == wanted

    def test_no_two_deployments_have_the_same(self, folder, tmp_path):
        subprocess.run([DEPLOY / "make-secrets", tmp_path / "other"], check=True, capture_output=True, timeout=30)
        for path in folder.iterdir():
            assert path.read_text() != (tmp_path / "other" / path.name).read_text()

    def test_containers_can_read_them_and_other_people_cannot_get_at_them(self, folder):
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}

    def test_they_fit_each_other(self, folder):
        said = {path.name: path.read_text() for path in folder.iterdir()}
        assert said["database_url"] == f"postgres://lookalike:{said['postgres_password']}@postgres:5432/lookalike"
        assert said["redis_conf"].removeprefix("requirepass ") in said["redis_url"]
        assert said["qdrant_api_key"] in said["qdrant_yaml"]
        assert not any(value.endswith("\n") for value in said.values())

    def test_they_are_never_written_over(self, folder):
        before = {path.name: path.read_text() for path in folder.iterdir()}
        done = subprocess.run([DEPLOY / "make-secrets", folder], capture_output=True, text=True, timeout=30)
        assert done.returncode == 1
        assert "has secrets already" in done.stderr
        assert {path.name: path.read_text() for path in folder.iterdir()} == before

    def test_git_does_not_see_them(self):
        ignored = subprocess.run(
            ["git", "check-ignore", "deploy/secrets/secret_key"], cwd=ROOT, capture_output=True, timeout=30
        )
        assert ignored.returncode == 0


class TestABucket:
    """deploy/compose/bucket.yml beside docker-compose.yml."""

    FILE = DEPLOY / "compose" / "bucket.yml"

    def test_is_known_to_every_process_of_the_project(self):
        beside = compose(self.FILE, {"STORAGE_URL": "s3://shop-files"})
        jsonschema.validate(beside, compose_schema())
        assert beside["services"].keys() == services(compose()).keys()
        for service in beside["services"].values():
            assert service["environment"].keys() <= known_variables()
            assert (
                {
                    value.removeprefix("/run/secrets/")
                    for name, value in service["environment"].items()
                    if name.endswith("_FILE")
                }
                == set(service["secrets"])
                == beside["secrets"].keys()
            )

    @pytest.mark.parametrize("variable", sorted(STORAGE - {"STORAGE_CACHE_DIR"}))
    def test_takes_its_settings_from_the_env_file_or_a_secret(self, variable):
        beside = compose(self.FILE, {"STORAGE_URL": "s3://shop-files", variable: "given"})
        for service in beside["services"].values():
            assert service["environment"].get(variable) == "given" or f"{variable}_FILE" in service["environment"]

    def test_is_missed_by_name(self):
        with pytest.raises(VariableMissing, match="STORAGE_URL: the bucket"):
            compose(self.FILE, {})
