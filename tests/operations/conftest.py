"""Commands typed in a home of the test's own, and platforms under the documented logins."""

from collections.abc import Iterator
from dataclasses import dataclass

import asyncpg
import pytest

from chassis.servers.postgres import PrivatePostgres
from chassis.settings import Settings
from tests.cli.conftest import careline  # noqa: F401
from tests.conftest import FAST, POSTGRES


@dataclass(frozen=True)
class Forms:
    """A server of its own, and empty databases on it as an operator would make them."""

    server: PrivatePostgres

    async def one_login(self, settings: Settings, database: str) -> Settings:
        """A database of a login that may make roles, and nothing else."""
        return settings.model_copy(update={"database_url": await self._owned(database)})

    async def login_per_service(self, settings: Settings, database: str) -> Settings:
        """The same, with a login for each service."""
        owner = await self._owned(database)
        service = owner.replace("platform@", "careline_{service}@")
        return settings.model_copy(update={"database_url": service, "owner_url": owner})

    async def _owned(self, database: str) -> str:
        admin = await asyncpg.connect(self.server.url)
        try:
            if not await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = 'platform'"):
                await admin.execute("CREATE ROLE platform LOGIN CREATEROLE")
            await admin.execute(f"CREATE DATABASE {database} OWNER platform")
        finally:
            await admin.close()
        return self.server.url.replace("postgres@", "platform@").replace("/careline?", f"/{database}?")


@pytest.fixture(scope="module")
def forms(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forms]:
    """The documented forms, on the wheel's PostgreSQL or on the one asked for."""
    kind = getattr(request, "param", "wheel")
    server = PrivatePostgres(tmp_path_factory.mktemp("forms"), bin_dir=POSTGRES[kind], settings=FAST)
    server.start()
    yield Forms(server)
    server.stop(even_if_used=True)
