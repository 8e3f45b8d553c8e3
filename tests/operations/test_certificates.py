"""A server that takes TLS and passwords alone: its certificate, its root and a password change while the platform runs."""

import asyncio
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from signal import SIGINT
from typing import Any

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from careline.backup import programs
from careline.schema import make_schemas
from careline.services import SERVICES
from chassis.clock import utc_now
from chassis.database import role_of
from chassis.servers import account
from chassis.servers.ports import free_port
from chassis.servers.postgres import PrivatePostgres
from chassis.settings import Settings
from tests.classification.facts import day, opened, trade
from tests.cli.conftest import Careline
from tests.conftest import FAST, KEYS, POSTGRES
from tests.world import World, running

ONLY_TLS = "local all postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"


class Server:
    """A PostgreSQL that is reached by TLS with a password."""

    def __init__(self, folder: Path) -> None:
        self.cluster = PrivatePostgres(folder, bin_dir=POSTGRES["debian"], settings=FAST)
        self.data, self.port, self.root = self.cluster.folder / "data", free_port(), folder / "root.pem"

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        self.cluster.start()  # makes the cluster, and the login that owns the database
        self.cluster.stop(even_if_used=True)
        self.certify()
        (self.data / "pg_hba.conf").write_text(ONLY_TLS, "ascii")
        options = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.data, "ssl": "on",
            "max_connections": 200,
        }  # fmt: skip
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        assert POSTGRES["debian"]
        process = await asyncio.create_subprocess_exec(
            *account.command_prefix(), str(POSTGRES["debian"] / "postgres"), "-D", str(self.data), *words,
            env=account.environment(), stdout=DEVNULL, stderr=DEVNULL,
        )  # fmt: skip
        try:
            self.admin = await self._reached(process)
            try:
                yield
            finally:
                await self.admin.close()
        finally:
            process.send_signal(SIGINT)  # fast: it waits for nobody
            await process.wait()

    async def _reached(self, process: Process) -> asyncpg.Connection:
        while True:
            try:
                return await asyncpg.connect(user="postgres", database="careline", host=str(self.data), port=self.port)
            except (OSError, asyncpg.CannotConnectNowError):
                assert process.returncode is None
                await asyncio.sleep(0.05)  # it tells nobody when it takes connections

    def certify(self) -> None:
        """A new root, and a certificate of the server under it."""
        key, root = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ours, theirs = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("server", "root"))
        made = self._signed(ours, key, theirs, root, authority=False)
        self.root.write_bytes(self._signed(theirs, root, theirs, root, authority=True))
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.data / "server.crt").write_bytes(made)
        (self.data / "server.key").touch(mode=0o600)
        (self.data / "server.key").write_bytes(secret)

    def _signed(self, subject: x509.Name, key: Any, issuer: x509.Name, by: Any, *, authority: bool) -> bytes:
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(utc_now() - timedelta(days=1))
            .not_valid_after(utc_now() + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        )
        return built.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def url(self, user: str, password: str, root: Path | None = None) -> str:
        where = f"127.0.0.1:{self.port}/careline?sslmode=verify-full&sslrootcert={root or self.root}"
        return f"postgresql://{user}:{password}@{where}"


@pytest.mark.skipif(POSTGRES.get("debian") is None, reason="the wheel's PostgreSQL speaks no TLS")
async def test_certificates_roots_and_passwords_change_while_the_platform_runs(
    tmp_path: Path, careline: Careline, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(tmp_path / "server")
    async with server.up():
        await server.admin.execute("ALTER ROLE careline PASSWORD 'owner'")
        settings = Settings(
            home=tmp_path / "home", database_url=server.url("careline_{service}", "first"),
            owner_url=server.url("careline", "owner"), **KEYS,
        )  # type: ignore[arg-type]  # fmt: skip
        await make_schemas(settings, SERVICES)
        owner = await asyncpg.connect(server.url("careline", "owner"))
        for service in SERVICES:
            await owner.execute(f"ALTER ROLE {role_of(service.name)} PASSWORD 'first'")
        for name, value in KEYS.items():
            monkeypatch.setenv(f"CARELINE_{name.upper()}", value)
        monkeypatch.setenv("CARELINE_HOME", str(settings.home))
        monkeypatch.setenv("CARELINE_DATABASE_URL", settings.database_url or "")
        async with running(World(settings, "log")) as world:
            await world.publish(opened(), trade("t-1", day(0), "10.00"))
            await world.settle()

            # The owner changes a password: what is open goes on, what starts anew is told.
            await owner.execute("ALTER ROLE careline_gateway PASSWORD 'second'")
            await world.publish(trade("t-2", day(0), "10.00"))
            await world.settle()
            refused = await careline("doctor")
            assert (refused.code, "password authentication failed" in refused.out) == (1, True), refused
            await owner.execute("ALTER ROLE careline_gateway PASSWORD 'first'")

            # A new root and a new certificate.
            old = tmp_path / "old.pem"
            old.write_bytes(server.root.read_bytes())
            server.certify()
            await server.admin.execute("SELECT pg_reload_conf()")
            await world.publish(trade("t-3", day(0), "10.00"))
            await world.settle()
            assert await world.value("points", "SELECT count(*) FROM entries") == 3
            monkeypatch.setenv("CARELINE_DATABASE_URL", server.url("careline_{service}", "first", old))
            refused = await careline("doctor")
            assert (refused.code, "certificate verify failed" in refused.out) == (1, True), refused
            monkeypatch.setenv("CARELINE_DATABASE_URL", settings.database_url or "")
            said = await careline("doctor")
            assert f"PostgreSQL {server.admin.get_server_version().major}" in said.out, said
            assert "password" not in said.out

        # With the owner's login nothing needs a service's password; a backup passes the same door, with this system's programs.
        monkeypatch.setenv("CARELINE_OWNER_URL", settings.owner_url or "")
        monkeypatch.setenv("CARELINE_DATABASE_URL", server.url("careline_{service}", "unknown"))
        assert (await careline("verify")).out.endswith("verified\n")
        taken = await careline("backup", str(tmp_path / "backup"))
        assert taken.code == 0, taken
        monkeypatch.setenv("PATH", str(tmp_path))
        refused = await careline("backup", str(tmp_path / "another"))
        assert (refused.code, "speaks no TLS" in refused.err) == (1, True), refused
        await owner.close()


def test_programs_of_the_wheel_are_used_where_the_server_is_reached_without_tls() -> None:
    plain = programs.program("pg_dump", "postgresql://a@b/c?sslmode=prefer")
    assert plain == programs.program("pg_dump")
    assert "pginstall" in plain
