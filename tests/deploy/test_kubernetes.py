"""The Kubernetes manifests of each overlay: valid, unprivileged, and without references to missing objects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.files import (
    DEPLOY,
    OVERLAYS,
    compose,
    container,
    fetching,
    known_variables,
    of_kind,
    pods,
    rendered,
    services,
)

KUBERNETES = "1.34"
# Created by hand (docs/how-to/deploy.md), and only referenced here.
SECRETS = {
    "lookalike": {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "QDRANT_API_KEY"},
    "datastores": {"POSTGRES_PASSWORD", "REDIS_CONF"},
}
# Variables from Kubernetes, used in ALLOWED_HOSTS.
OURS = {"POD_IP", "PUBLIC_HOSTS"}


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Each overlay in turn."""
    return rendered(request.param)


@pytest.fixture(scope="module")
def production() -> list[dict[str, Any]]:
    """The overlay with several nodes."""
    return rendered("production")


def containers(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from template["spec"].get("initContainers", [])
    yield from template["spec"]["containers"]


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector matches these labels."""
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(
        labels.get(each["key"]) in each["values"]
        for each in selector.get("matchExpressions", [])
        if each["operator"] == "In"
    )


def test_they_are_valid(manifests):
    for manifest in manifests:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_every_pod_runs_without_rights(manifests):
    for template in pods(manifests).values():
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for each in containers(template):
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
    (namespace,) = of_kind(manifests, "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_container_says_what_it_needs_and_its_images_version(manifests):
    for template in pods(manifests).values():
        for each in containers(template):
            assert each["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in each["resources"]["limits"]
            assert each["image"].rpartition(":")[2][:1] in "0123456789v"


def test_no_secret_is_among_them_and_those_named_are_the_documented_ones(manifests):
    assert of_kind(manifests, "Secret") == {}
    for template in pods(manifests).values():
        for volume in template["spec"].get("volumes", []):
            if secret := volume.get("secret"):
                keys = {item["key"] for item in secret.get("items", [])}
                assert keys <= SECRETS[secret["secretName"]]
        for each in containers(template):
            for variable in each.get("env", []):
                if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                    assert reference["key"] in SECRETS[reference["name"]]


def test_secrets_are_files_that_the_settings_look_for(manifests):
    (settings,) = (
        each["data"] for name, each in of_kind(manifests, "ConfigMap").items() if name.startswith("lookalike")
    )
    files = {name.removesuffix("_FILE"): path for name, path in settings.items() if name.endswith("_FILE")}
    assert files == {key: f"/run/secrets/lookalike/{key}" for key in SECRETS["lookalike"]}


def test_every_variable_of_the_project_is_one_that_the_settings_read(manifests):
    maps = of_kind(manifests, "ConfigMap")
    for template in pods(manifests).values():
        if template["metadata"]["labels"].get("lookalike/code") != "django":
            continue
        for each in containers(template):
            named = {variable["name"] for variable in each.get("env", [])}
            for source in each["envFrom"]:
                named |= maps[source["configMapRef"]["name"]]["data"].keys()
            assert named <= known_variables() | OURS


def test_every_setting_of_the_overlay_reaches_every_process(manifests):
    (settings,) = (name for name in of_kind(manifests, "ConfigMap") if name.startswith("lookalike"))
    own = {"SERVICE", "HEALTH_PORT", "WORKER_METRICS_PORT", "PROMETHEUS_MULTIPROC_DIR", "ENCODER_THREADS"}
    for template in pods(manifests).values():
        if template["metadata"]["labels"].get("lookalike/code") != "django":
            continue
        for each in containers(template):
            assert {"configMapRef": {"name": settings}} in each["envFrom"]
            assert {variable["name"] for variable in each.get("env", [])} <= {*own, *OURS, "ALLOWED_HOSTS"}


def test_what_a_pod_names_is_there(manifests):
    claims = set(of_kind(manifests, "PersistentVolumeClaim"))
    accounts = set(of_kind(manifests, "ServiceAccount"))
    maps = of_kind(manifests, "ConfigMap")
    templates = of_kind(manifests, "StatefulSet")
    for name, template in pods(manifests).items():
        spec = template["spec"]
        assert spec["serviceAccountName"] in accounts
        own = {
            claim["metadata"]["name"]
            for claim in templates.get(name, {}).get("spec", {}).get("volumeClaimTemplates", [])
        }
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        assert {
            each["persistentVolumeClaim"]["claimName"] for each in volumes.values() if "persistentVolumeClaim" in each
        } <= claims
        for each in containers(template):
            assert {mount["name"] for mount in each["volumeMounts"]} <= volumes.keys() | own
            for variable in each.get("env", []):
                if reference := variable.get("valueFrom", {}).get("configMapKeyRef"):
                    assert reference["key"] in maps[reference["name"]]["data"]


def test_services_and_budgets_and_policies_find_their_pods(manifests):
    labels = {name: template["metadata"]["labels"] for name, template in pods(manifests).items()}
    for name, service in of_kind(manifests, "Service").items():
        found = [pod for pod in labels if service["spec"]["selector"].items() <= labels[pod].items()]
        assert len(found) == 1, name
        ports = {port["name"] for port in container(pods(manifests)[found[0]])["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for manifest in of_kind(manifests, "Deployment", "StatefulSet").values():
        assert selects(manifest["spec"]["selector"], manifest["spec"]["template"]["metadata"]["labels"])
    for name, budget in of_kind(manifests, "PodDisruptionBudget").items():
        assert [pod for pod in labels if selects(budget["spec"]["selector"], labels[pod])] == [name]
    for name, policy in of_kind(manifests, "NetworkPolicy").items():
        assert any(selects(policy["spec"]["podSelector"], each) for each in labels.values()), name


def test_nobody_talks_to_anybody_unless_it_is_allowed(manifests):
    policies = of_kind(manifests, "NetworkPolicy")
    assert policies["default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    labels = {name: template["metadata"]["labels"] for name, template in pods(manifests).items()}

    def reachable(name: str) -> set[str]:
        found = set()
        for policy in policies.values():
            if not selects(policy["spec"]["podSelector"], labels[name]):
                continue
            for rule in policy["spec"].get("ingress", []):
                for peer in rule["from"]:
                    found |= {
                        pod for pod in labels if "podSelector" in peer and selects(peer["podSelector"], labels[pod])
                    }
        return found

    code = {name for name, each in labels.items() if each.get("lookalike/code") == "django"}
    assert reachable("catalog") == reachable("recommender") == {"proxy"}
    assert reachable("worker") == reachable("trainer") == reachable("proxy") == set()
    assert reachable("qdrant") == code | {"qdrant"}
    assert all(reachable(name) == code for name in {"postgres", "redis"} & labels.keys())


def test_only_those_that_fetch_something_reach_the_internet(manifests):
    labels = {name: template["metadata"]["labels"] for name, template in pods(manifests).items()}
    outside = {
        name
        for policy in of_kind(manifests, "NetworkPolicy").values()
        for rule in policy["spec"].get("egress", [])
        for peer in rule["to"]
        if peer.get("ipBlock", {}).get("cidr") in ("0.0.0.0/0", "::/0")
        for name in labels
        if selects(policy["spec"]["podSelector"], labels[name])
    }
    assert outside == fetching()


def test_prometheus_reaches_the_port_that_a_pod_names(manifests):
    scraped = {}
    for name, template in pods(manifests).items():
        annotations = template["metadata"].get("annotations", {})
        if annotations.get("prometheus.io/scrape") == "true":
            scraped[name] = int(annotations["prometheus.io/port"])
            assert scraped[name] in {port["containerPort"] for port in container(template)["ports"]}
            assert scraped[name] in {
                port["port"]
                for policy in of_kind(manifests, "NetworkPolicy").values()
                if selects(policy["spec"]["podSelector"], template["metadata"]["labels"])
                for rule in policy["spec"].get("ingress", [])
                if {"kubernetes.io/metadata.name": "monitoring"}
                in [peer.get("namespaceSelector", {}).get("matchLabels") for peer in rule["from"]]
                for port in rule["ports"]
            }
    assert scraped == {"catalog": 8000, "recommender": 8000, "worker": 8001, "jobs": 8001, "trainer": 8001}
    for name in ("worker", "trainer"):
        said = {each["name"]: each.get("value") for each in container(pods(manifests)[name])["env"]}
        assert said["WORKER_METRICS_PORT"] == f"0.0.0.0:{scraped[name]}"


def test_web_pods_take_requests_only_while_they_can_answer_them(manifests):
    for name in ("catalog", "recommender"):
        template = pods(manifests)[name]
        web = container(template)
        probes = {probe: web[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "readiness", "liveness")}
        assert probes == {"startup": "/healthz", "readiness": "/readyz", "liveness": "/healthz"}
        assert {variable["name"] for variable in web["env"]} >= {"SERVICE", "ALLOWED_HOSTS", "PROMETHEUS_MULTIPROC_DIR"}
        # Probes use the pod's own address.
        variables = [variable["name"] for variable in web["env"]]
        assert variables.index("POD_IP") < variables.index("ALLOWED_HOSTS")
        wait = int(web["lifecycle"]["preStop"]["exec"]["command"][1])
        (grace,) = (int(flag.partition("=")[2]) for flag in web["command"] if flag.startswith("--graceful-timeout"))
        assert template["spec"]["terminationGracePeriodSeconds"] > wait + grace


def test_nothing_starts_before_the_migration_is_done(manifests):
    made = of_kind(manifests, "Deployment")
    for name in services(compose()).keys() - {"migrate"}:
        (first,) = made[name]["spec"]["template"]["spec"]["initContainers"]
        assert "manage.py migrate --check" in first["command"][-1]


def test_commands_are_those_of_the_compose_file(manifests):
    templates = pods(manifests)
    for name, service in services(compose()).items():
        assert container(templates[name])["command"] == service["command"]
    if "redis" in templates:
        theirs = [
            word.replace("/run/secrets/datastores/redis.conf", "/run/secrets/redis_conf")
            for word in container(templates["redis"])["command"]
        ]
        assert theirs == compose()["services"]["redis"]["command"]


class TestProduction:
    def test_more_pods_come_where_there_is_more_to_do(self, production):
        scaled = of_kind(production, "HorizontalPodAutoscaler")
        made = of_kind(production, "Deployment")
        for name, autoscaler in scaled.items():
            assert autoscaler["spec"]["scaleTargetRef"]["name"] == name
            assert "replicas" not in made[name]["spec"]
            assert "cpu" in container(pods(production)[name])["resources"]["requests"]
        types = {name: [metric["type"] for metric in each["spec"]["metrics"]] for name, each in scaled.items()}
        assert types == {"catalog": ["Resource"], "recommender": ["Resource"], "worker": ["External", "Resource"]}

    def test_the_queues_length_is_a_metric_of_the_project(self, production):
        metrics = of_kind(production, "HorizontalPodAutoscaler")["worker"]["spec"]["metrics"]
        adapter = yaml.safe_load((DEPLOY / "kubernetes" / "monitoring" / "prometheus-adapter-values.yaml").read_text())
        (rule,) = adapter["rules"]["external"]
        assert metrics[0]["external"]["metric"]["name"] == rule["name"]["as"]
        assert "lookalike_images{" in rule["metricsQuery"]

    def test_a_node_can_be_drained(self, production):
        budgets = of_kind(production, "PodDisruptionBudget")
        assert budgets.keys() == {"catalog", "recommender", "proxy", "worker", "qdrant"}
        assert {budget["spec"]["maxUnavailable"] for budget in budgets.values()} == {1}

    def test_three_qdrant_nodes_keep_two_copies_of_each_shard(self, production):
        assert of_kind(production, "StatefulSet")["qdrant"]["spec"]["replicas"] == 3
        (settings,) = (
            each["data"] for name, each in of_kind(production, "ConfigMap").items() if name.startswith("lookalike")
        )
        assert (settings["QDRANT_SHARD_NUMBER"], settings["QDRANT_REPLICATION_FACTOR"]) == ("6", "2")


def test_a_bucket_takes_the_place_of_shared_volumes(tmp_path):
    parts = os.path.relpath(DEPLOY / "kubernetes", tmp_path)
    (tmp_path / "kustomization.yaml").write_text(
        f"resources: [{parts}/overlays/production]\ncomponents: [{parts}/components/bucket]\n"
    )
    manifests = rendered(tmp_path)
    for manifest in manifests:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    assert not of_kind(manifests, "PersistentVolumeClaim")
    for template in pods(manifests).values():
        assert not [volume for volume in template["spec"].get("volumes", []) if "persistentVolumeClaim" in volume]
    (variables,) = [
        each["data"] for name, each in of_kind(manifests, "ConfigMap").items() if name.startswith("lookalike")
    ]
    assert {name for name in variables if name.startswith("STORAGE_")} == {
        "STORAGE_URL", "STORAGE_REGION", "STORAGE_ACCESS_KEY_ID_FILE", "STORAGE_SECRET_ACCESS_KEY_FILE"
    }  # fmt: skip
    assert variables.keys() <= known_variables()
