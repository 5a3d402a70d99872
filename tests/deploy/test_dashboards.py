"""Prometheus, the alert rules and the Grafana dashboard: valid, and of metrics that a running process exports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema
import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.files import DEPLOY, ROOT, compose, compose_schema, container, pods, rendered
from tests.services.conftest import RedisServer, draw_photos, find_redis, make_site, migrated, sites_folder

__all__ = ["draw_photos", "make_site", "migrated", "sites_folder"]

PROMETHEUS = DEPLOY / "prometheus"
OVERLAY = DEPLOY / "compose" / "monitoring.yml"
OBSERVE = ROOT / "docs" / "how-to" / "observe.md"
QDRANT = "lookalike-qdrant"
JOBS = {"lookalike-catalog", "lookalike-recommender", "lookalike-worker", "lookalike-jobs", "lookalike-trainer", QDRANT}
# What a Qdrant server exports (1.17 and newer) of what is asked, with the labels: its documentation and its source say so.
QDRANT_METRICS: dict[str, set[str]] = {
    "collections_total": set(),
    "collection_dead_replicas": set(),
    "collection_active_replicas_min": set(),
    "collection_shard_transfer_incoming": {"id"},
    "collection_update_queue_length": {"id"},
    "collection_running_optimizations": {"id"},
    "cluster_pending_operations_total": set(),
}
# Prometheus' own metric of each target, and Grafana's variable for an interval.
UP = "up"
INTERVAL = "$__rate_interval"


@dataclass(frozen=True)
class Selector:
    """A metric in an expression: the labels with a required value, and all labels that it names."""

    metric: str
    equal: tuple[tuple[str, str], ...]
    labels: frozenset[str]


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def dashboards() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))]


def panels() -> list[dict[str, Any]]:
    """The panels with data, of all dashboards."""
    return [panel for dashboard in dashboards() for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[str]:
    for rule in rules():
        yield rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"].replace(INTERVAL, "5m")


def selectors(node: Any, grouped: frozenset[str] = frozenset()) -> Iterator[Selector]:
    """The metrics in an expression. `grouped`: the labels of the enclosing aggregations."""
    match node:
        case promql_parser.VectorSelector():
            equal = tuple(
                (each.name, each.value) for each in node.matchers.matchers if each.op == promql_parser.MatchOp.Equal
            )
            labels = grouped | {each.name for each in node.matchers.matchers}
            yield Selector(node.name, equal, frozenset(labels))
        case promql_parser.MatrixSelector():
            yield from selectors(node.vector_selector, grouped)
        case promql_parser.AggregateExpr():
            yield from selectors(node.expr, grouped | frozenset(node.modifier.labels if node.modifier else ()))
        case promql_parser.Call():
            for argument in node.args:
                yield from selectors(argument, grouped)
        case promql_parser.BinaryExpr():
            yield from selectors(node.lhs, grouped)
            yield from selectors(node.rhs, grouped)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            yield from selectors(node.expr, grouped)
        case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
            pass
        case _:
            raise AssertionError(f"not known here: {node}")


ASKED = sorted({each for text in expressions() for each in selectors(promql_parser.parse(text))}, key=str)


@pytest.fixture
def broker(tmp_path) -> Iterator[str]:
    """The address of a Redis server with a limit of memory."""
    redis = RedisServer(find_redis(), tmp_path, "--maxmemory", "10mb")
    redis.start()
    yield redis.url
    redis.stop()


@pytest.fixture(scope="module")
def samples() -> dict[str, list[dict[str, str]]]:
    """What `exported` has found; empty until the first test that needs it."""
    return {}


@pytest.fixture
def exported(samples, request) -> dict[str, list[dict[str, str]]]:
    """The metrics of a web process that embeds photos and has answered a request, and of one with a broker: labels by sample."""
    return samples or request.getfixturevalue("read_samples")


@pytest.fixture
def read_samples(samples, make_site, draw_photos, broker) -> dict[str, list[dict[str, str]]]:
    """Reads them from new processes."""
    site = make_site()
    site.manage("import_catalog", str(draw_photos(3)))
    server = site.serve()
    server.similar(site.query("SELECT MIN(id) FROM catalog_product")[0][0])
    with urllib.request.urlopen(f"{server.base}/metrics", timeout=60) as response:  # noqa: S310
        text = response.read().decode()
    show = "from recommender import metrics; print(*metrics.exposition().decode().splitlines(), sep='\\n')"
    queued = site.manage("shell", "--no-imports", "-c", show, CELERY_BROKER_URL=broker).stdout
    text += "".join(f"{line}\n" for line in queued.splitlines() if re.match("lookalike_(queue|broker)", line))
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample.labels)
    return samples


def test_every_metric_of_rules_and_dashboard_is_exported_by_a_running_process(exported):
    assert len(ASKED) > 20
    for asked in ASKED:
        if asked.metric == UP:
            assert {value for label, value in asked.equal if label == "job"} <= JOBS
            continue
        if not asked.metric.startswith("lookalike_"):
            assert asked.labels <= QDRANT_METRICS[asked.metric], asked
            continue
        assert asked.metric in exported, asked
        fits = [labels for labels in exported[asked.metric] if dict(asked.equal).items() <= labels.items()]
        assert fits, asked
        assert all(asked.labels <= labels.keys() for labels in fits), asked


def test_every_exported_metric_is_on_the_dashboard_or_in_an_alert(exported):
    def families(names: Iterable[str]) -> set[str]:
        return {
            re.sub(r"_(bucket|sum|count|total|created)$", "", name) for name in names if name.startswith("lookalike_")
        }

    assert families(exported) == families(asked.metric for asked in ASKED)
    assert {asked.metric for asked in ASKED} >= QDRANT_METRICS.keys()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule):
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    document, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / document).read_text(), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert anchor == rule["alert"].lower()


def test_the_dashboard_is_one_that_grafana_can_provision():
    (dashboard,) = dashboards()
    assert {"uid", "title", "schemaVersion", "panels", "templating"} <= dashboard.keys()
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]}
    assert len(places) == len(ids)
    (variable,) = dashboard["templating"]["list"]
    for panel in panels():
        assert panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert panel["datasource"] == {"type": "prometheus", "uid": f"${{{variable['name']}}}"}
    (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert (source["type"], source["uid"]) == (variable["query"], variable["current"]["value"])


def promtool(*words: str) -> str:
    """The output of promtool. Skips the test if it is not installed."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("there is no promtool (prometheus) to ask")
    done = subprocess.run([program, *words], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_alerts_fire_when_they_should_and_keep_quiet_otherwise():
    promtool("test", "rules", "tests/deploy/alerts.yml")
    tested = yaml.safe_load((ROOT / "tests/deploy/alerts.yml").read_text())["tests"]
    fired = {each["alertname"] for test in tested for each in test["alert_rule_test"] if each.get("exp_alerts")}
    assert fired == {rule["alert"] for rule in rules()}


def test_prometheus_takes_its_configuration(tmp_path):
    shutil.copyfile(PROMETHEUS / "alerts.yml", tmp_path / "alerts.yml")
    # The key of Qdrant is there in the container alone.
    (tmp_path / "key").touch()
    text = (PROMETHEUS / "prometheus.yml").read_text().replace("/run/secrets/qdrant_api_key", str(tmp_path / "key"))
    (tmp_path / "prometheus.yml").write_text(text)
    promtool("check", "config", str(tmp_path / "prometheus.yml"))


def test_on_kubernetes_the_pods_that_ask_for_it_are_scraped(tmp_path):
    """Targets as service discovery describes the pods of the manifests: one per container port."""
    found = []
    for name, template in pods(rendered("production")).items():
        labels = template["metadata"]["labels"]
        meta = {
            **{f"pod_label_{re.sub('[^a-zA-Z0-9]', '_', label)}": value for label, value in labels.items()},
            **{
                f"pod_annotation_{re.sub('[^a-zA-Z0-9]', '_', each)}": value
                for each, value in template["metadata"].get("annotations", {}).items()
            },
            "namespace": "lookalike",
            "pod_name": f"{name}-0",
        }
        ports: list[str | None] = [str(port["containerPort"]) for port in container(template).get("ports", [])]
        # Earlier entries have none.
        for port in [*ports, *[None for _ in template["spec"].get("initContainers", [])]]:
            own = {**meta, **({"pod_container_port_number": port} if port else {})}
            found.append(
                {
                    "targets": [f"{name}:{port or 80}"],
                    "labels": {f"__meta_kubernetes_{label}": value for label, value in own.items()},
                }
            )
    configuration = yaml.safe_load((PROMETHEUS / "kubernetes.yml").read_text())
    jobs = configuration["scrape_configs"]
    (tmp_path / "pods.json").write_text(json.dumps(found))
    for job in jobs:
        assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
        job.pop("authorization", None)
        job["file_sd_configs"] = [{"files": [str(tmp_path / "pods.json")]}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": jobs}))
    scraped = []
    for job in jobs:
        said = promtool("check", "service-discovery", "--timeout=2s", str(tmp_path / "prometheus.yml"), job["job_name"])
        scraped += [each["labels"] for each in json.loads(said) if each["labels"]]
    assert {(each["job"], each["__address__"]) for each in scraped} == {
        ("lookalike-catalog", "catalog:8000"),
        ("lookalike-recommender", "recommender:8000"),
        ("lookalike-worker", "worker:8001"),
        ("lookalike-jobs", "jobs:8001"),
        ("lookalike-trainer", "trainer:8001"),
        (QDRANT, "qdrant:6333"),
    }
    assert len(scraped) == len(JOBS) == len({each["job"] for each in scraped} & JOBS)


class TestCompose:
    @pytest.fixture
    def both(self) -> dict[str, Any]:
        """The deployment with monitoring: both compose files merged."""
        base, more = compose(), compose(OVERLAY)
        return {
            **{key: value for key, value in base.items() if not key.startswith("x-")},
            **{key: {**base[key], **more[key]} for key in ("services", "networks", "volumes")},
        }

    def test_it_is_valid(self, both):
        jsonschema.validate(compose(OVERLAY), compose_schema())
        jsonschema.validate(both, compose_schema())
        assert not compose()["services"].keys() & compose(OVERLAY)["services"].keys()

    def test_its_services_run_without_rights_and_within_limits(self):
        for service in compose(OVERLAY)["services"].values():
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
            assert service["security_opt"] == ["no-new-privileges:true"]
            assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
            assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])
            assert service["deploy"]["resources"]["limits"].keys() >= {"cpus", "memory"}
            assert "healthcheck" in service

    def test_what_it_mounts_and_joins_is_there(self, both):
        for service in compose(OVERLAY)["services"].values():
            assert set(service["networks"]) <= both["networks"].keys()
            for volume in service["volumes"]:
                source = volume.split(":")[0]
                assert (ROOT / source).is_dir() if source.startswith("./") else source in both["volumes"]

    def test_nothing_but_this_machine_reaches_it(self):
        ports = [port for service in compose(OVERLAY)["services"].values() for port in service.get("ports", [])]
        assert ports == ["127.0.0.1:3000:3000"]

    def test_prometheus_asks_each_service_where_it_answers(self, both):
        configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
        asked: dict[str, str] = {}
        for job in configuration["scrape_configs"]:
            (place,) = job.get("static_configs") or job["dns_sd_configs"]
            (asked[job["job_name"]],) = place.get("targets") or [f"{name}:{place['port']}" for name in place["names"]]
        assert asked.keys() == JOBS
        for job_name, target in asked.items():
            name, port = target.split(":")
            service = both["services"][name]
            assert job_name == f"lookalike-{name}"
            assert set(service["networks"]) & set(both["services"]["prometheus"]["networks"])
            if job_name == QDRANT:
                continue
            listens = service["environment"].get("WORKER_METRICS_PORT") or next(
                word.partition("=")[2] for word in service["command"] if word.startswith("--bind=")
            )
            assert listens == f"0.0.0.0:{port}"
            if "WORKER_METRICS_PORT" not in service["environment"]:
                assert name in service["environment"]["ALLOWED_HOSTS"].split(",")

    def test_prometheus_has_the_key_of_each_qdrant_node(self, both):
        (job,) = [
            job
            for job in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
            if job["job_name"] == QDRANT
        ]
        secret = job["authorization"]["credentials_file"].removeprefix("/run/secrets/")
        assert secret in both["services"]["prometheus"]["secrets"]
        assert secret in both["secrets"]
        assert job["dns_sd_configs"] == [{"names": ["qdrant"], "type": "A", "port": 6333}]

    def test_grafana_finds_the_dashboard_and_prometheus(self):
        grafana = compose(OVERLAY)["services"]["grafana"]
        (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/lookalike.yml").read_text())[
            "providers"
        ]
        assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in grafana["volumes"]
        (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())[
            "datasources"
        ]
        assert source["url"] == "http://prometheus:9090"
        assert set(grafana["networks"]) & set(compose(OVERLAY)["services"]["prometheus"]["networks"])
