"""A Kustomize base made from the list of services: what `deploy/compose.yaml` is for one host, for a cluster.

Each service's processes have its own login and keys alone (a secret each, which the operator makes); only migration and sealing
have the login that owns the schemas.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from chassis.service import Service
from chassis.version import version

PORT, USER = 8000, 10001
DRAIN_SECONDS, GRACE_SECONDS = 10, 60
IMAGE = "careline"
HOME = "/home/careline/var"
HEADER = "# made from the list of services by `python -m careline.generated`: change careline/kubernetes.py\n"
Manifest = dict[str, Any]


def files(folder: Path, services: Sequence[Service]) -> dict[Path, str]:
    """The files of the base, for these services (the gateway apart)."""
    parts: dict[str, Iterable[Manifest]] = {
        "settings.yaml": [settings(services)],
        "migrate.yaml": [migration()],
        "seal.yaml": [*sealing()],
        "gateway.yaml": [*_gateway()],
        **{f"{one.name}.yaml": [*processes(one)] for one in services},
        "network.yaml": [*network(services)],
    }
    base = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [*parts],
        "labels": [{"pairs": {"app.kubernetes.io/part-of": "careline"}, "includeSelectors": True}],
        "images": [{"name": IMAGE, "newTag": version()}],
    }
    return {folder / name: HEADER + yaml.safe_dump_all(made, sort_keys=False) for name, made in parts.items()} | {
        folder / "kustomization.yaml": HEADER + yaml.safe_dump(base, sort_keys=False)
    }


def settings(services: Sequence[Service]) -> Manifest:
    """What all processes share: no secret."""
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "careline"},
        "data": {
            "CARELINE_BUS_URL": "kafka://kafka:9092/careline",
            "CARELINE_PARTITIONS": "12",
            "CARELINE_GATEWAY_URL": f"http://gateway:{PORT}",
            "CARELINE_SERVICE_URLS": json.dumps({one.name: f"http://serve-{one.name}:{PORT}" for one in services}),
            "CARELINE_DRAIN_SECONDS": str(DRAIN_SECONDS),
        },
    }  # fmt: skip


def migration() -> Manifest:
    """Runs once a version, before its processes."""
    pod = _pod("migrate", "owner", ["migrate"], ["DATABASE_URL", "OWNER_URL"])
    pod["spec"]["restartPolicy"] = "OnFailure"
    return {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"},
        "spec": {"backoffLimit": 6, "ttlSecondsAfterFinished": 86400, "template": pod},
    }  # fmt: skip


def sealing() -> Iterable[Manifest]:
    """One process that seals for all, with the witness on a volume of its own."""
    pod = _pod(
        "seal", "owner", ["seal", "--port", str(PORT)], ["OWNER_DATABASE_URL", "SEAL_KEY"], {"witness": "witness"}
    )
    yield _deployment("seal", pod, replicas=1, alone=True)
    yield _volume("witness", "ReadWriteOnce")


def _gateway() -> Iterable[Manifest]:
    keys = ["DATABASE_URL", "FIELD_KEY", "INTERNAL_KEY", "MASTER_KEY"]
    yield from _scaled("gateway", _pod("gateway", "gateway", ["serve", "gateway", "--port", str(PORT)], keys))
    yield _service("gateway")
    yield from _scaled("work-gateway", _pod("work-gateway", "gateway", ["work", "gateway", "--port", str(PORT)], keys))


def processes(service: Service) -> Iterable[Manifest]:
    """Requests and work of a service, each at least twice, with its own login and keys."""
    keys = ["DATABASE_URL", "FIELD_KEY", "INTERNAL_PUBLIC_KEY", *(["SEAL_KEY"] if service.signs else [])]
    volumes = {"evidence": "evidence"} if service.keeps_evidence else {}
    for role in ("serve", "work"):
        name = f"{role}-{service.name}"
        yield from _scaled(name, _pod(name, service.name, [role, service.name, "--port", str(PORT)], keys, volumes))
    yield _service(f"serve-{service.name}")
    for volume in volumes:
        yield _volume(volume, "ReadWriteMany")


def network(services: Sequence[Service]) -> Iterable[Manifest]:
    """Nobody reaches a process but who must: callers the gateway, the gateway the services, Prometheus the probes' port;
    nobody goes out but to DNS, PostgreSQL, Kafka and one another."""
    ours = {"matchLabels": {"app.kubernetes.io/part-of": "careline"}}
    port = [{"protocol": "TCP", "port": PORT}]
    scraped = {"namespaceSelector": {"matchLabels": {"careline.example/scrapes": "true"}}}
    out: list[Manifest] = [
        {"to": [{"podSelector": ours}], "ports": port},
        {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]},
        {"ports": [{"protocol": "TCP", "port": number} for number in (5432, 9092)]},
    ]
    yield _policy("careline", ours, [{"from": [scraped], "ports": port}], out)
    called = {"podSelector": ours}
    outside = {"namespaceSelector": {"matchLabels": {"careline.example/calls": "true"}}}
    yield _policy("gateway", _selector("gateway"), [{"from": [outside, called], "ports": port}])
    for one in services:
        yield _policy(
            f"serve-{one.name}",
            _selector(f"serve-{one.name}"),
            [{"from": [{"podSelector": _selector("gateway")}], "ports": port}],
        )


def _policy(name: str, pods: Manifest, come_in: list[Manifest], go_out: list[Manifest] | None = None) -> Manifest:
    spec = {"podSelector": pods, "policyTypes": ["Ingress", *(["Egress"] if go_out else [])], "ingress": come_in}
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name},
        "spec": spec | ({"egress": go_out} if go_out else {}),
    }  # fmt: skip


def _selector(name: str) -> Manifest:
    return {"matchLabels": {"app.kubernetes.io/name": name}}


def _pod(
    name: str, secret: str, command: list[str], keys: Sequence[str], volumes: dict[str, str] | None = None
) -> Manifest:
    volumes = volumes or {}
    probed = "--port" in command
    container: Manifest = {
        "name": "careline",
        "image": IMAGE,
        "args": command,
        "envFrom": [{"configMapRef": {"name": "careline"}}],
        "env": [_from_secret(key, f"careline-{secret}") for key in keys],
        "resources": {
            "requests": {"cpu": "100m", "memory": "192Mi"},
            "limits": {"memory": "768Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "home", "mountPath": HOME},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in the container
            *({"name": name, "mountPath": f"{HOME}/{folder}"} for name, folder in volumes.items()),
        ],
    }  # fmt: skip
    if probed:
        container["env"].append(_from_secret("METRICS_TOKEN", "careline-metrics"))
        container |= {
            "ports": [{"name": "http", "containerPort": PORT}],
            "startupProbe": _probe("/livez", period=2, failures=60),
            "livenessProbe": _probe("/livez", period=10, failures=6),
            "readinessProbe": _probe("/readyz", period=3, failures=2),
            # Told to terminate it is not ready any more and serves on; the pause lets those who route hear of it first.
            "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        }
    return {
        "metadata": {"labels": {"app.kubernetes.io/name": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "securityContext": {
                "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [
                {"name": "home", "emptyDir": {}},
                {"name": "tmp", "emptyDir": {}},
                *({"name": name, "persistentVolumeClaim": {"claimName": name}} for name in volumes),
            ],
        },
    }  # fmt: skip


def _from_secret(key: str, secret: str) -> Manifest:
    setting = f"CARELINE_{key.removeprefix('OWNER_') if key == 'OWNER_DATABASE_URL' else key}"
    return {"name": setting, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _probe(path: str, *, period: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": "http"}, "periodSeconds": period, "timeoutSeconds": 3, "failureThreshold": failures
    }  # fmt: skip


def _scaled(name: str, pod: Manifest) -> Iterable[Manifest]:
    """Two of them on different machines, of which a drained machine takes one at a time."""
    pod["spec"]["topologySpreadConstraints"] = [
        {
            "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": _selector(name),
        }
    ]  # fmt: skip
    yield _deployment(name, pod, replicas=2)
    yield {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name},
        "spec": {"maxUnavailable": 1, "selector": _selector(name)},
    }  # fmt: skip


def _deployment(name: str, pod: Manifest, *, replicas: int, alone: bool = False) -> Manifest:
    strategy: Manifest = {"type": "Recreate"}
    if not alone:
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": replicas, "strategy": strategy, "selector": _selector(name), "template": pod},
    }  # fmt: skip


def _service(name: str) -> Manifest:
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": _selector(name)["matchLabels"], "ports": [{"name": "http", "port": PORT, "targetPort": "http"}]},
    }  # fmt: skip


def _volume(name: str, mode: str) -> Manifest:
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "10Gi"}}},
    }  # fmt: skip
