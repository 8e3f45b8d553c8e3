"""`careline up`: from nothing to ready, beside other commands, stopped cleanly, killed with and without its server."""

import asyncio
import os
import signal
from pathlib import Path

import httpx

from chassis.servers.postgres import PrivatePostgres
from tests.faults.running import Command


async def test_up_serves_recovers_and_leaves_nothing_running(tmp_path: Path) -> None:
    home, server = {"CARELINE_HOME": str(tmp_path / "home")}, PrivatePostgres(tmp_path / "home")
    running = await Command.start("up", "--port", "0", **home)
    try:
        address = await running.line("ready ")
        link = await running.line("sign in once at ")
        code, token, err = await (await Command.start("token", "--role", "operations", **home)).ended()
        assert code == 0, err
        async with httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {token.strip()}"}) as http:
            assert (await http.get("/livez")).status_code == 200
            names = {service["service"] for service in (await http.get("/v1/status")).json()["services"]}
            assert {"gateway", "classification", "points", "suitability"} <= names
            assert link.startswith(address)
        assert (await (await Command.start("lag", **home)).ended())[0] == 0

        await running.kill(signal.SIGKILL)
        assert server.status().running  # its owner had no time to stop it
        running = await Command.start("up", "--port", "0", **home)
        await running.line("ready ")

        pid = server.status().pid
        assert pid is not None
        await running.kill(signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        running = await Command.start("up", "--port", "0", **home)
        address = await running.line("ready ")

        pid = server.status().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)  # under a running platform
        async with httpx.AsyncClient(base_url=address) as http, asyncio.timeout(60):
            while (await http.get("/readyz")).status_code != 200 or server.status().pid in (None, pid):  # noqa: ASYNC110
                await asyncio.sleep(0.1)  # another process recovers; nothing here can be woken

        running.process.send_signal(signal.SIGTERM)
        code, _, err = await running.ended()
        assert code == 0, err
        assert "Traceback" not in err
        assert not server.status().running
    finally:
        await running.kill()
        server.stop(even_if_used=True)


async def test_a_taken_port_is_told_before_anything_starts(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    try:
        port = str(taken.sockets[0].getsockname()[1])
        code, out, err = await (await Command.start("up", "--port", port, CARELINE_HOME=str(tmp_path / "home"))).ended()
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert f"cannot listen on 127.0.0.1:{port}" in err
        assert not (tmp_path / "home").exists()
    finally:
        taken.close()
        await taken.wait_closed()
