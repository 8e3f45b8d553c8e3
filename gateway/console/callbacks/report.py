"""The report of a call: what was typed, as the service's body."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from starlette.datastructures import UploadFile

from gateway.console.forms import instant
from gateway.console.frame import Desk
from gateway.service_client import Part

KEY = "_key"
PROFILE = ("phone", "email", "address")


async def recorded(desk: Desk, typed: Mapping[str, str], file: UploadFile | None = None) -> Part:
    """Keep the call's recording, or name it, as evidence; without a file and a reference there is none."""
    reference = typed.get("recording", "").strip()
    if file is not None and file.filename:
        place = f"/v1/callbacks/clients/{quote(typed.get('_client', ''), safe='')}/evidence"
        at = instant(typed.get("at", ""))
        query = urlencode({"kind": "recording"} | ({"recorded_at": at} if at else {}))
        return await desk.upload(place, query, file.content_type or "application/octet-stream", await file.read(), method="PUT")  # fmt: skip
    if not reference:
        return Part(200)
    body = {"reference": reference, "recorded_at": instant(typed.get("at", ""))}
    client = quote(typed.get("_client", ""), safe="")
    return await desk.send("POST", f"/v1/callbacks/clients/{client}/evidence/references", body)


def call_of(typed: Mapping[str, str], ids: Sequence[str], evidence_id: str | None) -> dict[str, Any]:
    """The body of the call; what is empty is left out, so that the service says what it misses."""
    body: dict[str, Any] = {
        "client_id": typed.get("_client", ""),
        "channel": typed.get("channel", "phone"),
        "results": [_result(typed, number, task) for number, task in enumerate(ids)],
        "profile": {name: value for name in PROFILE if (value := typed.get(f"profile.{name}", "").strip())},
        "notes": typed.get("notes", ""),
    }
    if typed.get("at"):
        body["at"] = instant(typed["at"])
    if evidence_id:
        body["evidence_id"] = evidence_id
    if typed.get("asked_in", "").strip():
        body |= {"client_asked": True, "asked_in": typed["asked_in"].strip()}
    return body


def _result(typed: Mapping[str, str], number: int, task: str) -> dict[str, Any]:
    place = f"t{number}."
    result: dict[str, Any] = {
        "task_id": task,
        "answers": {
            name.removeprefix(f"{place}a."): value
            for name, value in typed.items()
            if name.startswith(f"{place}a.") and value.strip()
        },
        "concerned": typed.get(f"{place}concerned", "").replace(",", " ").split(),
    }
    if typed.get(f"{place}outcome"):
        result["outcome"] = typed[f"{place}outcome"]
    if typed.get(f"{place}wish_at"):
        result["wish_at"] = instant(typed[f"{place}wish_at"])
    return result


def lines_of(errors: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What is wrong by the field of our form that says it; what is of no field, of the whole."""
    found: dict[str, str] = {}
    for error in errors:
        parts = error.get("pointer", "").strip("/").split("/")
        name = parts[0]
        if name == "results" and len(parts) > 2:
            name = f"t{parts[1]}.{parts[2]}" if parts[2] != "answers" else f"t{parts[1]}.a.{parts[-1]}"
        elif name == "answers" and len(parts) > 1:
            name = f"a.{parts[1]}"
        elif name == "evidence_id":
            name = "recording"
        found[name] = "; ".join(filter(None, (found.get(name), error["detail"])))
    return found
