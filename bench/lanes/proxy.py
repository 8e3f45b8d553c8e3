"""The peer of the gateway: a reverse proxy on FastAPI and a default `httpx.AsyncClient`, as tutorials write it.

`python -m bench.lanes.proxy PORT UPSTREAM TOKEN`: it only forwards; it knows no callers, limits, or routes.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response

from chassis.http.identity import HEADER


def proxy_app(upstream: str, token: str) -> FastAPI:
    """Forward every GET to `upstream`, with one client for the life of the app."""
    clients: list[httpx.AsyncClient] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with httpx.AsyncClient(base_url=upstream) as client:
            clients.append(client)
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/{path:path}")
    async def forward(path: str, request: Request) -> Response:
        answer = await clients[0].get("/" + path, params=request.query_params, headers={HEADER: token})
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    return app


if __name__ == "__main__":
    uvicorn.run(
        proxy_app(sys.argv[2], sys.argv[3]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=False,
        log_level="error",
    )
