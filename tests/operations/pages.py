"""Instructions as they are written: the `bash` blocks of a chapter are run by a shell, word for word."""

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Ran:
    """How a chapter's blocks ended."""

    code: int
    out: str


def chapter(page: str, heading: str) -> str:
    """The text of a page from a heading to the next one of its level."""
    text = (ROOT / page).read_text("utf-8")
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^\1 |\Z)", text, re.M | re.S)
    assert found, f"{page} has no chapter {heading!r}"
    return found.group(2)


async def follow(page: str, heading: str, instead: Mapping[str, str] | None = None, **environment: str) -> Ran:
    """Run every block of a chapter, one after the other in one shell that stops at the first failure. `instead`: what stands
    for words of the page that are a reader's own."""
    text = chapter(page, heading)
    for said, meant in (instead or {}).items():
        assert said in text, f"{page}, {heading}: nothing says {said!r}"
        text = text.replace(said, meant)
    blocks = BLOCK.findall(text)
    assert blocks, f"{page}, {heading}: no instructions"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shell = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", "\n".join(blocks),
        env=os.environ | environment | {"PATH": path}, cwd=ROOT, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await shell.communicate()
    return Ran(shell.returncode or 0, out.decode())
