"""The Kustomize base, as far as it can be checked without a cluster."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

import careline.services
from careline.settings import all_models, names_of
from chassis.version import version

BASE = Path(__file__).parents[2] / "deploy" / "kubernetes"
SERVICES = {service.name for service in careline.services.SERVICES}


def documents(name: str) -> list[Any]:
    """The manifests of one file of the base."""
    return list(yaml.safe_load_all((BASE / name).read_text("utf-8")))


def manifests(kind: str = "") -> dict[str, Any]:
    """What the base consists of, by name."""
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text("utf-8"))["resources"]
    found = [one for name in listed for one in documents(name)]
    return {one["metadata"]["name"]: one for one in found if kind in ("", one["kind"])}


def container_of(deployment: Any) -> Any:
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return container


def test_requests_and_work_of_every_service_run_twice_and_sealing_once() -> None:
    ran = {" ".join(container_of(one)["args"][:2]): one["spec"]["replicas"] for one in manifests("Deployment").values()}
    assert ran == {f"{role} {name}": 2 for name in SERVICES for role in ("serve", "work")} | {"seal --port": 1}


def test_every_setting_exists_and_each_service_has_its_own_secret_alone() -> None:
    known = {name for model in all_models() for name in names_of(model)}
    assert set(manifests("ConfigMap")["careline"]["data"]) <= known
    for name, one in (manifests("Deployment") | manifests("Job")).items():
        container = container_of(one)
        assert {variable["name"] for variable in container["env"]} <= known, name
        secrets = {variable["valueFrom"]["secretKeyRef"]["name"] for variable in container["env"]}
        assert ("careline-metrics" in secrets) is ("ports" in container), name  # what is scraped
        [secret], words = secrets - {"careline-metrics"}, container["args"]
        assert secret == ("careline-owner" if words[0] in ("migrate", "seal") else f"careline-{words[1]}"), name


def test_every_process_is_probed_budgeted_drained_and_without_rights() -> None:
    budgets, drain = (
        manifests("PodDisruptionBudget"),
        int(manifests("ConfigMap")["careline"]["data"]["CARELINE_DRAIN_SECONDS"]),
    )
    for name, one in manifests("Deployment").items():
        container, pod = container_of(one), one["spec"]["template"]["spec"]
        assert (container["livenessProbe"]["httpGet"]["path"], container["readinessProbe"]["httpGet"]["path"]) == (
            "/livez",
            "/readyz",
        )
        assert container["resources"]["requests"], name
        assert pod["terminationGracePeriodSeconds"] > container["lifecycle"]["preStop"]["sleep"]["seconds"] + drain + 15
        assert pod["securityContext"]["runAsNonRoot"], name
        assert container["securityContext"]["readOnlyRootFilesystem"], name
        assert (name in budgets) is (one["spec"]["replicas"] > 1), name


def test_services_are_reached_by_the_gateway_alone() -> None:
    policies = manifests("NetworkPolicy")
    for name in SERVICES - {"gateway"}:
        [rule] = policies[f"serve-{name}"]["spec"]["ingress"]
        assert rule["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "gateway"}}}]
    assert set(manifests("Service")) == {"gateway", *(f"serve-{name}" for name in SERVICES - {"gateway"})}


def test_the_base_names_all_its_files_and_labels_them() -> None:
    base = yaml.safe_load((BASE / "kustomization.yaml").read_text("utf-8"))
    assert {*base["resources"], "kustomization.yaml"} == {path.name for path in BASE.glob("*.yaml")}
    assert base["labels"] == [{"pairs": {"app.kubernetes.io/part-of": "careline"}, "includeSelectors": True}]
    assert [image["newTag"] for image in base["images"]] == [version()]
    kinds = [(one["kind"], one["metadata"]["name"]) for name in base["resources"] for one in documents(name)]
    assert len(kinds) == len(set(kinds))


@pytest.mark.parametrize("version", ["1.32", "1.37"])
def test_every_manifest_is_one_of_kubernetes(version: str) -> None:
    found = manifests()
    for manifest in found.values():
        kubernetes_validate.validate(manifest, version, strict=True)
    wrong = found["serve-points"] | {"spec": found["serve-points"]["spec"] | {"replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_the_base_renders_to_what_it_lists() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run([kubectl, "kustomize", str(BASE)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    rendered = list(yaml.safe_load_all(done.stdout))
    assert sorted((one["kind"], one["metadata"]["name"]) for one in rendered) == sorted(
        (one["kind"], one["metadata"]["name"])
        for name in yaml.safe_load((BASE / "kustomization.yaml").read_text("utf-8"))["resources"]
        for one in documents(name)
    )
    for one in rendered:
        kubernetes_validate.validate(one, "1.32", strict=True)
        assert one["metadata"]["labels"]["app.kubernetes.io/part-of"] == "careline"
    images = {container_of(one)["image"] for one in rendered if one["kind"] in ("Deployment", "Job")}
    assert images == {f"careline:{version()}"}
