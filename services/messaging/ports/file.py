"""The file adapter: messages as files, for development. A repeat overwrites itself."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from chassis.folders import private_folder
from services.messaging.ports.port import Answer, Handed, Letter, Result, plain


class FilePort:
    """Writes each message to `FOLDER/CHANNEL-ID.json` (mode 0600: it holds personal data)."""

    def __init__(self, folder: Path, channel: str) -> None:
        self.folder = folder
        self.channel = channel

    async def send(self, letters: Sequence[Letter]) -> Mapping[str, Answer]:
        """Write the files; a full disk is a matter for later."""
        return await asyncio.to_thread(lambda: {letter.message_id: self._write(letter) for letter in letters})

    async def ask(self, message_ids: Sequence[Handed], /) -> Mapping[str, Answer]:
        """A file that is there was written."""
        return {
            key: Answer(Result.TAKEN, path.name) if path.exists() else Answer(Result.LATER, reason="no such file")
            for key in (one.message_id for one in message_ids)
            for path in (self._path(key),)
        }

    def _path(self, message_id: str) -> Path:
        return self.folder / f"{self.channel}-{message_id}.json"

    def _write(self, letter: Letter) -> Answer:
        path = self._path(letter.message_id)
        body = {"to": letter.address, "subject": letter.subject, "body": letter.text}
        try:
            private_folder(self.folder)
            fresh = path.with_suffix(".part")
            fresh.write_text(json.dumps(body, ensure_ascii=False), "utf-8")
            fresh.chmod(0o600)
            fresh.replace(path)
        except OSError as error:
            return Answer(Result.LATER, reason=plain(error))
        return Answer(Result.TAKEN, path.name)
