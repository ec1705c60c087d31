"""Dashboard and alerts against the metrics that the code has, and against Prometheus' own reading of them."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dataforge_registry.registry.cache_metrics import CacheMetrics
from dataforge_registry.registry.config import load
from dataforge_registry.registry.gc_metrics import GcMetrics
from dataforge_registry.registry.load.load import load_of
from dataforge_registry.registry.load.watch import Watch
from dataforge_registry.registry.metrics import Metrics
from dataforge_registry.registry.state_metrics import StateMetrics

from .proxies import ROOT

RULES = ROOT / "deploy" / "prometheus" / "dataforge-registry.rules.yml"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dataforge-registry.json").read_text())
NAME = re.compile(r"\b(?:dfr|process|python)_\w+")
NO_PANEL: frozenset[str] = frozenset()
"""Metrics of ours that need none."""


def kinds() -> dict[str, str]:
    """Each metric of the code with its type."""
    metrics = Metrics()
    GcMetrics(metrics.registry)
    CacheMetrics(metrics.registry)
    StateMetrics(metrics.registry)
    Watch(load_of(load(env={}, data="unused"), metrics.registry), metrics.registry)
    return {family.name: family.type for family in metrics.registry.collect()}


def series() -> set[str]:
    """The names that Prometheus sees of them."""
    endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
    return {name + ending for name, kind in kinds().items() for ending in endings.get(kind, [""])}


def shown() -> list[str]:
    """The questions of all panels, as Prometheus gets them."""
    targets = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    return [expr.replace("$__rate_interval", "5m").replace("$job", ".*").replace("$instance", ".*") for expr in targets]


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    return found


def test_this_test_knows_every_metric() -> None:
    for path in (ROOT / "registry").rglob("*.py"):
        for name in re.findall(r'"(dfr_[a-z_]+[a-z])"', path.read_text()):
            assert name in kinds(), f"{path.name} has a metric {name} that this test does not make"


def test_panels_and_alerts_ask_for_what_there_is() -> None:
    asked = {name for expr in (*shown(), *(rule["expr"] for rule in rules())) for name in NAME.findall(expr)}
    assert asked - series() - {"process_start_time_seconds", "process_resident_memory_bytes"} == set()


def test_every_metric_of_ours_has_a_panel() -> None:
    asked = {name for expr in shown() for name in NAME.findall(expr)}
    for name in kinds():
        if name.startswith("dfr_") and name not in NO_PANEL:
            assert any(each.startswith(name) for each in asked), f"no panel shows {name}"


def test_endpoints_that_are_asked_for_exist() -> None:
    source = (ROOT / "registry" / "v2" / "routing.py").read_text()
    names = {f"v2.{name}" for name in re.findall(r'Route\(\s*"(\w+)"', source)}
    for expr in (*shown(), *(rule["expr"] for rule in rules())):
        for operator, pattern in re.findall(r'endpoint(=~?)"([^"]+)"', expr):
            assert any(re.fullmatch(pattern if operator == "=~" else re.escape(pattern), name) for name in names)


def test_panels_stand_beside_each_other_with_ids_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24
        taken |= cells


def test_each_alert_says_what_to_do() -> None:
    told = (ROOT / "docs" / "operations.md").read_text()
    for rule in rules():
        assert f"`{rule['alert']}`" in told, f"docs/operations.md does not say what to do about {rule['alert']}"
        assert rule["labels"]["severity"] in ("critical", "warning", "info") and rule["annotations"]["summary"]


@pytest.mark.tool("promtool")
def test_prometheus_reads_rules_and_questions(tmp_path: Path) -> None:
    questions = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(shown())]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": questions}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", RULES, tmp_path / "panels.yml"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    scrape = ROOT / "deploy" / "prometheus" / "scrape.example.yml"
    done = subprocess.run(["promtool", "check", "config", scrape], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


LONG = 80
SLOWLY = {"NothingDeleted"}
# alert: series, and values by the minute, or by the hour for SLOWLY, under which it must fire after LONG of them.
FIRES: dict[str, dict[str, str]] = {
    "Down": {'up{job="dataforge-registry", instance="a"}': "0x100"},
    "Restarts": {'process_start_time_seconds{job="dataforge-registry", instance="a"}': "0+300x100"},
    "Unavailable": {
        'dfr_http_requests_total{status="503"}': "0+10x100",
        'dfr_http_requests_total{status="200"}': "0+100x100",
    },
    "Faults": {'dfr_http_requests_total{status="500", endpoint="v2.blob"}': "0+1x100"},
    "Slow": {
        'dfr_http_request_seconds_bucket{endpoint="v2.manifest", le="1"}': "0+90x100",
        'dfr_http_request_seconds_bucket{endpoint="v2.manifest", le="2.5"}': "0+100x100",
        'dfr_http_request_seconds_bucket{endpoint="v2.manifest", le="+Inf"}': "0+100x100",
    },
    "StoreFull": {'dfr_storage_errors_total{kind="full"}': "0+1x100"},
    "StoreFails": {'dfr_storage_errors_total{kind="failed"}': "0+2x100"},
    "Connections": {
        'dfr_database_connections_used{instance="a"}': "16x100",
        'dfr_database_connections_limit{instance="a"}': "16x100",
    },
    "Overloaded": {'dfr_refused_requests_total{reason="requests"}': "0+60x100"},
    "Memory": {'dfr_memory_level{instance="a"}': "1x100"},
    "NoWorker": {"dfr_event_age_seconds": "0+60x100"},
    "TasksWait": {"dfr_task_age_seconds": "3000+60x100"},
    "AuditUnsealed": {"dfr_audit_unsealed_seconds": "0+60x100"},
    "Quota": {"dfr_quota_fullest_ratio": "0.97x100"},
    "NothingDeleted": {"dfr_gc_condemned_blobs_total": "0+1x100", "dfr_gc_objects_total": "7x100"},
}
CALM = {
    'up{job="dataforge-registry", instance="a"}': "1x100",
    'process_start_time_seconds{job="dataforge-registry", instance="a"}': "1000x100",
    'dfr_http_requests_total{status="503", endpoint="v2.blob"}': "0+1x100",
    'dfr_http_requests_total{status="200", endpoint="v2.blob"}': "0+100x100",
    'dfr_http_requests_total{status="500", endpoint="v2.blob"}': "1x100",
    'dfr_http_request_seconds_bucket{endpoint="v2.manifest", le="1"}': "0+99x100",
    'dfr_http_request_seconds_bucket{endpoint="v2.manifest", le="+Inf"}': "0+100x100",
    'dfr_storage_errors_total{kind="full"}': "3x100",
    'dfr_storage_errors_total{kind="failed"}': "3x100",
    'dfr_database_connections_used{instance="a"}': "8x100",
    'dfr_database_connections_limit{instance="a"}': "16x100",
    'dfr_refused_requests_total{reason="rate_address"}': "0+60x100",
    'dfr_memory_level{instance="a"}': "0x100",
    "dfr_event_age_seconds": "1x100",
    "dfr_task_age_seconds": "600x100",
    "dfr_audit_unsealed_seconds": "90x100",
    "dfr_quota_fullest_ratio": "0.9x100",
    "dfr_gc_condemned_blobs_total": "0+1x100",
    "dfr_gc_objects_total": "0+1x100",
}


@pytest.mark.tool("promtool")
def test_each_alert_fires_when_it_should_and_no_other_time(tmp_path: Path) -> None:
    assert {f"DataForgeRegistry{name}" for name in FIRES} == {rule["alert"] for rule in rules()}

    hours = {name: given for name, given in FIRES.items() if name in SLOWLY}
    minutes = {name: given for name, given in FIRES.items() if name not in SLOWLY}
    for unit, fires in (("m", minutes), ("h", hours)):
        at = f"{LONG}{unit}"
        cases = [case(name, given, at, 1) for name, given in fires.items()] + [case(".*", CALM, at, 0)]
        document = {"rule_files": [str(RULES)], "evaluation_interval": f"1{unit}", "tests": cases}
        (tmp_path / "tests.yml").write_text(yaml.safe_dump(document))
        done = subprocess.run(["promtool", "test", "rules", tmp_path / "tests.yml"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def case(name: str, given: dict[str, str], at: str, firing: int) -> dict[str, Any]:
    """One of promtool's tests: how many alerts of a name fire at a time."""
    who = f'count(ALERTS{{alertname=~"DataForgeRegistry{name}", alertstate="firing"}})'
    samples = [{"labels": "{}", "value": firing}] if firing else []
    return {
        "interval": f"1{at[-1]}",
        "input_series": [{"series": each, "values": values} for each, values in given.items()],
        "promql_expr_test": [{"expr": who, "eval_time": at, "exp_samples": samples}],
    }
