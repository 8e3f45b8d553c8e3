"""Real browsers on a real port: Chromium as the system has it, each person in a context of their own."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.async_api import Browser, Page, Request, async_playwright, expect

from chassis.actor import Actor
from gateway.auth_middleware import COOKIE
from tests.conftest import Cluster
from tests.console.office import Office, office_of

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PICTURES = Path(__file__).parent.parent.parent / "docs" / "pictures"
expect.set_options(timeout=20_000)
IN_CI = os.environ.get("CI", "").lower() in {"true", "1"}
WIDE, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}


@dataclass
class Desks:
    """The office on a port, and people in front of it."""

    office: Office
    browser: Browser
    address: str
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def at(
        self, actor: Actor, language: str = "en", size: dict[str, int] = WIDE, **options: Any
    ) -> AsyncIterator[Page]:
        """Somebody's browser, signed in. What it asks of another host, and what breaks in it, is kept."""
        context = await self.browser.new_context(viewport=size, locale=language, timezone_id="Asia/Shanghai", **options)
        await context.add_cookies([{"name": COOKIE, "value": await self.office.session(actor), "url": self.address}])
        page = await context.new_page()
        page.set_default_timeout(20_000)
        page.on("request", self._seen)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        try:
            yield page
        finally:
            await context.close()

    def _seen(self, request: Request) -> None:
        if urlsplit(request.url).netloc not in ("", urlsplit(self.address).netloc):
            self.foreign.append(request.url)

    async def see(self, page: Page, path: str) -> None:
        """Open a page of the console."""
        answer = await page.goto(f"{self.address}{path}")
        assert answer is not None
        assert answer.status == 200, (path, answer.status)

    async def picture(self, page: Page, name: str) -> None:
        """A picture for the documentation, where one is wanted (`make browser`)."""
        if os.environ.get("PICTURES"):
            PICTURES.mkdir(exist_ok=True)
            await page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all."""
    if CHROMIUM is None:
        if IN_CI:
            pytest.fail("no Chromium: apt-get install chromium, or say where in CHROMIUM")
        pytest.skip("no Chromium here")
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield made
        await made.close()


@pytest.fixture(scope="module")
async def desks(
    browser: Browser, clusters: Callable[[str], Cluster], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desks]:
    """An office for a module's tests, served on a free port; at the end nothing asked another host, nothing broke."""
    async with office_of(clusters, tmp_path_factory.mktemp("office")) as office:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            server = uvicorn.Server(uvicorn.Config(office.app, log_config=None, access_log=False, lifespan="off"))
            serving = asyncio.create_task(server.serve([listening]))
            made = Desks(office, browser, f"http://127.0.0.1:{listening.getsockname()[1]}")
            try:
                yield made
            finally:
                server.should_exit = True
                with suppress(asyncio.CancelledError):
                    await serving
        assert made.foreign == []
        assert made.errors == []
