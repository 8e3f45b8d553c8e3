"""What can be checked of deploy/ without a container engine: names, commands, settings and metrics that exist."""

import re
from pathlib import Path
from typing import Any

import yaml

import careline.services
from chassis.settings import Settings
from gateway.settings import GatewaySettings

DEPLOY = Path(__file__).parents[2] / "deploy"
SERVICES = {service.name for service in careline.services.SERVICES}


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text("utf-8"))


def test_the_compose_file_runs_every_service_by_commands_that_exist() -> None:
    services = read("compose.yaml")["services"]
    ran = {
        " ".join(map(str, one["command"][:2]))
        for name, one in services.items()
        if name.split("-")[0] in ("serve", "work", "gateway")
    }
    assert {f"{role} {name}" for name in SERVICES for role in ("serve", "work")} == ran


def test_every_setting_in_the_compose_file_exists() -> None:
    fields = {f"CARELINE_{name.upper()}" for model in (Settings, GatewaySettings) for name in model.model_fields}
    compose = read("compose.yaml")
    environment = compose["x-careline"]["environment"]
    for container in ours(compose).values():
        assert set(container["environment"]) <= fields
    urls = Settings.model_validate({"service_urls": yaml.safe_load(environment["CARELINE_SERVICE_URLS"])}).service_urls
    assert set(urls) == SERVICES - {"gateway"}


def test_prometheus_scrapes_every_container_of_ours() -> None:
    [asked], compose = read("prometheus/prometheus.yaml")["scrape_configs"][0]["dns_sd_configs"], read("compose.yaml")
    assert set(asked["names"]) == set(ours(compose)) - {"migrate"}
    for name, container in ours(compose).items():
        assert container["environment"]["CARELINE_METRICS_PORT"] == str(asked["port"])
        published = {str(port).rpartition(":")[2] for port in container.get("ports", ())}
        assert published == ({"8000"} if name == "gateway" else set()), name


def ours(compose: Any) -> dict[str, Any]:
    """The containers of our own image."""
    return {name: one for name, one in compose["services"].items() if one["image"] == "careline"}


def test_each_container_has_its_own_login_and_its_own_keys_alone() -> None:
    keys = {f"CARELINE_{name}_KEY" for name in ("INTERNAL", "FIELD", "SEAL")}
    for name, container in ours(read("compose.yaml")).items():
        environment, service = (
            container["environment"],
            container["command"][-1] if name in ("migrate", "seal") else container["command"][1],
        )
        assert not keys <= set(environment), name
        owns = "postgresql://careline:${OWNER_PASSWORD" in str(environment)
        assert owns is (name in ("migrate", "seal")), name
        if name not in ("migrate", "seal"):
            assert f"careline_{{service}}:${{{service.upper()}_PASSWORD" in environment["CARELINE_DATABASE_URL"], name
            assert ("CARELINE_INTERNAL_KEY" in environment) is (service == "gateway"), name
            assert all(f"{other.upper()}_PASSWORD" not in str(environment) for other in SERVICES - {service}), name


def test_what_must_outlive_a_container_lies_on_a_volume_of_those_who_need_it() -> None:
    compose = read("compose.yaml")
    mounted = {
        volume: {name for name, one in ours(compose).items() if str(one.get("volumes", "")).find(f"{volume}:") >= 0}
        for volume in ("evidence", "witness")
    }
    assert mounted == {"evidence": {"serve-callbacks", "work-callbacks"}, "witness": {"seal"}}
    assert set(mounted) <= set(compose["volumes"])
    made = (DEPLOY / "Dockerfile").read_text("utf-8")
    assert all(f"/home/careline/var/{volume}" in made for volume in mounted)


def test_a_containers_home_is_its_own() -> None:
    made = (DEPLOY / "Dockerfile").read_text("utf-8")
    assert "-m 700 /home/careline/var" in made
    for name, container in ours(read("compose.yaml")).items():
        assert "/home/careline/var:uid=10001,gid=10001,mode=0700" in container["tmpfs"], name


def test_images_are_pinned_by_version() -> None:
    images = [one["image"] for one in read("compose.yaml")["services"].values() if one["image"] != "careline"]
    for image in (*images, *re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text("utf-8"), re.M)):
        assert re.search(r":v?\d+\.\d+", image), image


def test_the_database_makes_a_login_for_every_service() -> None:
    made = (DEPLOY / "postgres-logins.sh").read_text("utf-8")
    [named] = re.findall(r"^services=\"(.+)\"$", made, re.M)
    assert set(named.split()) == SERVICES
    given = read("compose.yaml")["services"]["postgres"]["environment"]
    assert {f"{name.upper()}_PASSWORD" for name in SERVICES} <= set(given)
    assert "SUPERUSER" not in made


def test_the_image_is_not_root_and_holds_every_package() -> None:
    said = (DEPLOY / "Dockerfile").read_text("utf-8")
    assert re.search(r"^USER (?!root)\w+", said, re.M)
    for package in ("contracts", "chassis", "services", "gateway", "careline"):
        assert f"COPY {package} {package}" in said
    assert "COPY bench" not in said
    assert "--require-hashes" in said
