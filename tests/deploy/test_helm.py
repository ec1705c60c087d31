"""The Helm chart as helm renders it: Kubernetes' own types, selectors that find, and a configuration that we load."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dataforge_registry.registry.config import Config, load
from dataforge_registry.registry.sections import DRIVERS
from dataforge_registry.registry.server import STOP_SECONDS
from dataforge_registry.registry.units import Size

from .kubernetes import Object, Rendered, faults, model
from .proxies import ROOT

pytestmark = [pytest.mark.tool("helm"), pytest.mark.xdist_group("helm")]
CHART = ROOT / "deploy" / "helm" / "dataforge-registry"
KUBERNETES = "1.31"
SECRETS = "/run/secrets/dataforge/"
S3: Object = {"driver": "s3", "s3": {"bucket": "wells", "regionendpoint": "https://s3.example.org"}}
URL = "postgresql://dataforge:secret@postgres/dataforge"
SETS: dict[str, Object] = {
    "least": {"storage": S3, "database": {"url": URL}},
    "all": {
        "storage": S3 | {"existingSecret": "s3", "secretKeys": ["accesskey", "secretkey"]},
        "database": {"existingSecret": "database"},
        "auth": {"existingSecret": "auth"},
        "server": {"autoscaling": {"enabled": True}, "nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "a"}]},
        "ingress": {"enabled": True},
        "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}]},
        "metrics": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
        "env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "imagePullSecrets": [{"name": "pull"}],
        "podAnnotations": {"a": "b"},
        "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn"}},
        "config": {"gc": {"schedule": "0 0 3 * * *"}, "http": {"drain": "30s"}},
        "cacheGiB": 20,
    },
    "bundled": {
        "storage": {"driver": "filesystem", "filesystem": {"storageClass": "nfs"}},
        "database": {"bundled": {"enabled": True, "storageClass": "fast"}},
        "networkPolicy": {"enabled": True},
        "worker": {"replicas": 0},
        "fullnameOverride": "wells",
        "ingress": {"enabled": True, "tlsSecret": ""},
    },
    "gcs": {
        "storage": {"driver": "gcs", "gcs": {"bucket": "b"}, "existingSecret": "gcs", "secretKeys": ["keyfile"]},
        "database": {"existingSecret": "database", "migrate": False},
        "server": {"disruptionBudget": {"enabled": False}, "replicas": 1},
    },
    "azure": {
        "storage": {
            "driver": "azure",
            "azure": {"accountname": "wells", "container": "registry"},
            "existingSecret": "azure",
            "secretKeys": ["accountkey"],
        },
        "database": {"existingSecret": "database"},
    },
}


def helm(*arguments: str | Path, values: Object, folder: Path) -> "subprocess.CompletedProcess[str]":
    (folder / "values.yml").write_text(json.dumps(values))
    command = ["helm", *map(str, arguments), "--values", str(folder / "values.yml"), "--kube-version", KUBERNETES]
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def rendered(values: Object, folder: Path) -> Rendered:
    done = helm("template", "north", CHART, values=values, folder=folder)
    assert done.returncode == 0, done.stderr
    return Rendered([document for document in yaml.safe_load_all(done.stdout) if document])


@pytest.fixture(scope="module", params=sorted(SETS))
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    return rendered(SETS[request.param], tmp_path_factory.mktemp("helm"))


@pytest.mark.parametrize("name", sorted(SETS))
def test_helm_finds_nothing_to_say(name: str, tmp_path: Path) -> None:
    done = helm("lint", CHART, "--strict", values=SETS[name], folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout and "[ERROR]" not in done.stdout


def test_every_object_is_of_its_kubernetes_type(release: Rendered) -> None:
    names = [(document["kind"], document["metadata"]["name"]) for document in release.documents]
    assert len(names) == len(set(names))
    for document in release.documents:
        if document["kind"] != "ServiceMonitor":  # of another project; held against our services below
            assert faults(document, model(document), document["kind"]) == []


def test_a_wrong_object_is_noticed(tmp_path: Path) -> None:
    deployment = rendered(SETS["least"], tmp_path).one("Deployment", "-server")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["readinesProbe"] = container.pop("readinessProbe")
    container["ports"][0]["containerPort"] = "5000"
    del deployment["spec"]["selector"]
    told = faults(deployment, model(deployment), "Deployment")
    assert sorted(re.sub(r".*[.](?=\w+:)", "", fault) for fault in told) == [
        "containerPort: '5000' is no int",
        "readinesProbe: unknown to Container",
        "selector: missing",
    ]


def test_selectors_find_pods_that_listen(release: Rendered) -> None:
    for workload in release.of("Deployment", "StatefulSet"):
        assert release.selected(workload["spec"]["selector"]["matchLabels"]) == [workload["spec"]["template"]]
    for service in release.of("Service"):
        (template,) = release.selected(service["spec"]["selector"])
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports(template)
    for policy in release.of("NetworkPolicy"):
        (template,) = release.selected(policy["spec"]["podSelector"]["matchLabels"]) or [None]
        if template is not None:
            assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} <= ports(template)
    for budget in release.of("PodDisruptionBudget"):
        assert len(release.selected(budget["spec"]["selector"]["matchLabels"])) == 1
    for ingress in release.of("Ingress"):
        (rule,) = ingress["spec"]["rules"]
        service = rule["http"]["paths"][0]["backend"]["service"]
        assert service["port"]["name"] in {p["name"] for p in release.one("Service", service["name"])["spec"]["ports"]}
    for scaler in release.of("HorizontalPodAutoscaler"):
        target = release.one("Deployment", scaler["spec"]["scaleTargetRef"]["name"])
        assert "replicas" not in target["spec"], "an upgrade would undo what the scaler did"


def ports(template: Object) -> set[str]:
    return {port["name"] for container in template["spec"]["containers"] for port in container.get("ports", ())}


def test_prometheus_finds_servers_and_workers(tmp_path: Path) -> None:
    release = rendered(SETS["all"], tmp_path)
    selector = release.one("ServiceMonitor")["spec"]["selector"]
    (expression,) = selector["matchExpressions"]
    found = {
        service["metadata"]["name"]
        for service in release.of("Service")
        if selector["matchLabels"].items() <= service["metadata"]["labels"].items()
        and service["metadata"]["labels"][expression["key"]] in expression["values"]
    }
    assert found == {"north-dataforge-registry", "north-dataforge-registry-worker"}


def test_pods_are_confined(release: Rendered) -> None:
    for template in [*release.templates(), release.one("Pod")]:
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        for container in (*spec["containers"], *spec.get("initContainers", ())):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
            assert context["capabilities"] == {"drop": ["ALL"]}


def test_each_mount_has_its_volume_and_each_secret_is_there(release: Rendered) -> None:
    made = {(each["kind"], each["metadata"]["name"]) for each in release.documents}
    given = {"s3", "gcs", "azure", "database", "auth"}
    for template in release.templates():
        spec = template["spec"]
        claims = {"data"} if any(m["name"] == "data" for m in spec["containers"][0]["volumeMounts"]) else set()
        for container in (*spec["containers"], *spec.get("initContainers", ())):
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted <= {volume["name"] for volume in spec["volumes"]} | claims
        for volume in spec["volumes"]:
            if "secret" in volume:
                name = volume["secret"]["secretName"]
                assert ("Secret", name) in made or name in given
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in made
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in made


def configured(release: Rendered, folder: Path) -> Config:
    """The ConfigMap as our own loader reads it. What it names must lie where a pod has it mounted."""
    text: str = release.one("ConfigMap")["data"]["config.yml"]
    spec = release.one("Deployment", "-server")["spec"]["template"]["spec"]
    mounts = {mount["mountPath"]: mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
    keys = {volume["name"]: volume.get("secret", {}).get("secretName") for volume in spec["volumes"]}
    for mount, name in re.findall(rf"{SECRETS}(\w+)/(\w+)", text):
        secret = keys[mounts[f"{SECRETS}{mount}"]]
        made = [each for each in release.of("Secret") if each["metadata"]["name"] == secret]
        assert all(name in each["data"] for each in made)
        (folder / mount).mkdir(exist_ok=True)
        (folder / mount / name).write_text({"url": URL}.get(name, "k" * 44))
    (folder / "config.yml").write_text(text.replace(SECRETS, f"{folder}/"))
    return load(folder / "config.yml", {})


def test_the_configuration_is_one_and_fits_the_pods(release: Rendered, tmp_path: Path) -> None:
    config = configured(release, tmp_path)
    workers = [each for each in release.of("Deployment") if each["metadata"]["name"].endswith("-worker")]
    assert config.worker.enabled is not bool(workers)
    for deployment in release.of("Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        port = config.worker.port if deployment in workers else config.http.port
        assert [each["containerPort"] for each in container["ports"]] == [port]
        assert spec["terminationGracePeriodSeconds"] > config.http.drain_delay + config.http.drain + STOP_SECONDS + 20
        for probe in ("startupProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["path"].startswith("/health/")
        # An outage of database or store must not restart it.
        assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
        if config.storage.filesystem:
            assert config.storage.filesystem.rootdirectory in {m["mountPath"] for m in container["volumeMounts"]}
        if folder := config.storage.cache.folder:  # the root is read-only, and a volume beyond its limit ends the pod
            (mount,) = [mount for mount in container["volumeMounts"] if mount["mountPath"] == str(folder)]
            (volume,) = [volume for volume in spec["volumes"] if volume["name"] == mount["name"]]
            assert Size.parse(volume["emptyDir"]["sizeLimit"] + "B") > config.storage.cache.size
    if ingress := release.of("Ingress"):
        assert config.http.external_url.endswith(f"//{ingress[0]['spec']['rules'][0]['host']}")


def test_each_driver_for_keeps_can_be_chosen(tmp_path: Path) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    choices = set(schema["properties"]["storage"]["properties"]["driver"]["enum"])
    assert choices >= set(DRIVERS) - {"inmemory"}
    tested = {values["storage"]["driver"] for values in SETS.values()}
    assert tested == set(DRIVERS) - {"inmemory"}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"storage": S3}, "give existingSecret or url, or set bundled.enabled"),
        ({"storage": {"driver": "s3"}, "database": {"url": URL}}, "name its bucket or container"),
        ({"storage": {"driver": "ftp"}}, "storage"),
        ({"sotrage": S3}, "sotrage"),
        ({"storage": S3, "database": {"existingSecret": "a", "bundled": {"enabled": True}}}, "two databases"),
        ({"storage": S3, "database": {"url": "mysql://x"}}, "database"),
    ],
)
def test_values_that_cannot_be_are_refused(values: Any, says: str, tmp_path: Path) -> None:
    done = helm("template", "north", CHART, values=values, folder=tmp_path)
    assert done.returncode != 0 and says in done.stderr


def test_every_value_is_in_the_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    known = set(schema["properties"]) - {"global"}
    assert known == set(yaml.safe_load((CHART / "values.yaml").read_text()))
