"""Settings: each wrong one, and each damaged secret, is named before anything begins; what nobody knows is reported."""

import base64
import os
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from careline.settings import OTHERS, all_models, names_of, unknown
from chassis.settings import KEYS
from tests.cli.conftest import Careline

ROOT = Path(__file__).parents[2]
FIELDS = {
    name: field
    for model in all_models()
    for name, field in zip(names_of(model), model.model_fields.values(), strict=True)
}
FREE = {"CARELINE_HOME", "CARELINE_HOST", "CARELINE_OIDC_CLIENT_ID", "CARELINE_OIDC_CLIENT_SECRET", "CARELINE_OIDC_ROLE_CLAIM",
        "CARELINE_OIDC_BRANCH_CLAIM", "CARELINE_EVIDENCE_FOLDER", "CARELINE_EVIDENCE_S3_URL", "CARELINE_EVIDENCE_S3_REGION",
        "CARELINE_EVIDENCE_S3_ACCESS_KEY", "CARELINE_EVIDENCE_S3_SECRET_KEY", "CARELINE_MESSAGES_SENDER",
        "CARELINE_MESSAGES_SMS_TOKEN", "CARELINE_MESSAGES_SMS_CLOUD_TOKEN", "CARELINE_MESSAGES_INBOUND_SECRET",
        "CARELINE_MESSAGES_EMAIL_WEBHOOK_KEY",
        "CARELINE_MESSAGES_WECOM_CORP_ID", "CARELINE_MESSAGES_WECOM_SECRET", "CARELINE_LOG_FILE"}  # fmt: skip
"""Texts that may be anything."""


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - FREE))
async def test_a_wrong_setting_is_named_in_one_line(
    careline: Careline, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "s3cret://:/")
    said = await careline("lag")
    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert f"setting {name}:" in said.err
    assert "s3cret://" not in said.err


async def test_every_wrong_setting_is_named_at_once(careline: Careline, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "CARELINE_PORT": "80a",
        "CARELINE_RATE_PEOPLE": "-1",
        "CARELINE_MESSAGES_SMS": "ftp://x",
        "CARELINE_SERVICE_URLS": "{",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    for words in (
        ["lag"],
        ["up"],
        ["serve", "points"],
        ["work", "points"],
        ["seal"],
        ["doctor"],
        ["token", "--role", "hq"],
    ):
        said = await careline(*words)
        assert said.code == 1
        assert all(f"setting {name}:" in said.out + said.err for name in wrong), words


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("damage", ["", "not base64!", base64.b64encode(b"short").decode()])
async def test_a_damaged_secret_of_the_home_is_named(careline: Careline, tmp_path: Path, key: str, damage: str) -> None:
    secrets = tmp_path / "home" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / f"{key}.key").write_text(damage)
    said = await careline("lag")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert f"secret {key}: {secrets}/{key}.key" in said.err
    assert f"secret {key}:" in (await careline("doctor")).out


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"DATABASE_URL": "postgresql://db/{service}"}, "events need Kafka"),
        ({"OWNER_URL": "postgresql://o@db/x"}, "set that as well"),
        (
            {"DATABASE_URL": "postgresql://db/{service}", "OWNER_URL": "postgresql://o@db/x", "BUS_URL": "kafka://k/x"},
            "same databases",
        ),
        ({"INTERNAL_KEY": "A" * 43 + "=", "INTERNAL_PUBLIC_KEY": "A" * 43 + "="}, "not the public half"),
        ({"OIDC_ISSUER": "https://sign.in"}, "CARELINE_PUBLIC_URL"),
    ],
)
async def test_settings_that_do_not_fit_together_are_refused(
    careline: Careline, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], reason: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"CARELINE_{name}", value)
    said = await careline("lag")
    assert (said.code, said.err.count("\n"), reason in said.err) == (1, 1, True)


async def test_a_home_stays_on_its_bus(on_world: Careline, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world.database("points").unit_of_work() as uow:
        await uow.sql.execute("INSERT INTO home_id (id) VALUES (gen_random_uuid())")
    said = await on_world("lag")
    assert (said.code, "points travel over Kafka" in said.err) == (1, True)
    async with world.database("points").unit_of_work() as uow:
        await uow.sql.execute("DELETE FROM home_id")
        await uow.sql.execute("UPDATE consumer_offsets SET next = 1")
    monkeypatch.setenv("CARELINE_BUS_URL", "kafka://127.0.0.1:1/none")
    said = await on_world("lag")
    assert (said.code, "lie in PostgreSQL" in said.err) == (1, True)


async def test_an_empty_setting_is_none(careline: Careline, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FIELDS:
        monkeypatch.setenv(name, "") if name != "CARELINE_HOME" else None
    assert (await careline("token", "--role", "hq")).code == 0


async def test_doctor_reports_what_is_no_setting(careline: Careline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARELINE_PORTT", "1")
    monkeypatch.setenv("CARELINE_PORT", "x")  # doctor need not start a server for this
    said = await careline("doctor")
    assert "CARELINE_PORTT is no setting" in said.out
    assert "CARELINE_PORT was meant?" in said.out
    assert unknown({"careline_port": "1", "CARELINE_CACHE": "/x", "PATH": "/bin"}) == {}


def test_every_setting_that_is_named_anywhere_exists() -> None:
    known, prefixes = {*FIELDS, *OTHERS}, ("CARELINE_EVIDENCE_", "CARELINE_MESSAGES_", "CARELINE_")
    tracked = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *(p for p in ROOT.glob("deploy/**/*") if p.is_file())]
    tracked += [path for top in ("careline", "chassis", "gateway", "services") for path in (ROOT / top).rglob("*.py")]
    for path in tracked:
        named = set(re.findall(r"CARELINE_[A-Z][A-Z_0-9]*", path.read_text("utf-8")))
        assert named - known - set(prefixes) == set(), path


def test_secrets_are_kept_from_errors_and_logs() -> None:
    secret = [
        name
        for name, field in FIELDS.items()
        if name.endswith(("_KEY", "_SECRET"))
        and "S3" not in name
        and "PUBLIC" not in name
        and "Path" not in str(field.annotation)  # where a key lies is none itself
    ]
    assert {
        "CARELINE_OIDC_CLIENT_SECRET",
        "CARELINE_MESSAGES_INBOUND_SECRET",
        "CARELINE_MESSAGES_EMAIL_WEBHOOK_KEY",
    } < set(secret)
    assert len(secret) == len(KEYS) + 4
    assert all("SecretStr" in str(FIELDS[name].annotation) for name in secret), SecretStr
    assert not [name for name in os.environ if name.startswith("CARELINE_") and name.endswith("_KEY")]
