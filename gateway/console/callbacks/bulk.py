"""Several callbacks at once: claimed or given back, each with what became of it; claims can be taken back for some seconds."""

from typing import Annotated, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from chassis.actor import Actor
from gateway.console.areas import SERVING
from gateway.console.forms import typed_in
from gateway.console.frame import AtDesk, Desk, visitors
from gateway.console.render import render

routes = APIRouter(include_in_schema=False)
Caller = Annotated[Actor, visitors("console.callbacks:read", *SERVING)]
MOST = 50
UNDO_SECONDS = 10


class Done(NamedTuple):
    """What became of one task: done, or why not."""

    task_id: str
    done: bool
    why: str


@routes.post("/callbacks/bulk")
async def act_on_several(request: Request, _: Caller, desk: AtDesk) -> Response:
    """Claim the chosen tasks, or give them back with a reason."""
    typed = typed_in(await request.form())
    ids = list(dict.fromkeys(typed.get("ids", "").split()))[:MOST]
    act = "release" if typed.get("do") == "release" else "claim"
    results = [await _one(desk, act, task, typed.get("reason", "").strip()) for task in ids]
    return render(
        request, "callbacks/bulk.html", act=act, results=results, undo_seconds=UNDO_SECONDS,
        undoable=[one.task_id for one in results if one.done] if act == "claim" else [],
    )  # fmt: skip


async def _one(desk: Desk, act: str, task: str, reason: str) -> Done:
    body = {"reason": reason} if act == "release" else None
    if not _is_id(task):
        return Done(task, False, "")
    part = await desk.send("POST", f"/v1/callbacks/tasks/{task}/{act}", body)
    problem = part.problem or {}
    return Done(task, part.done, " · ".join(filter(None, (problem.get("title", ""), problem.get("detail", "")))))


def _is_id(said: str) -> bool:
    return len(said) <= 64 and said.replace("-", "").isalnum() and said.isascii()
