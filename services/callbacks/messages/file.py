"""The file adapter: messages as files, for development. A repeat overwrites itself."""

import asyncio
import json
from pathlib import Path

from chassis.folders import private_folder
from services.callbacks.messages.port import Handed, Result
from services.callbacks.messages.templates import Words


class FilePort:
    """Writes each message to `FOLDER/CHANNEL-ID.json` (mode 0600: it holds personal data)."""

    def __init__(self, folder: Path, channel: str) -> None:
        self.folder = folder
        self.channel = channel

    async def send(self, message_id: str, address: str, words: Words) -> Handed:
        """Write the file; a full disk is a matter for later."""
        body = json.dumps({"to": address, "subject": words.subject, "body": words.body}, ensure_ascii=False)
        path = self.folder / f"{self.channel}-{message_id}.json"
        try:
            await asyncio.to_thread(self._write, path, body)
        except OSError as error:
            return Handed(Result.LATER, reason=str(error))
        return Handed(Result.SENT, receipt=path.name)

    def _write(self, path: Path, body: str) -> None:
        private_folder(self.folder)
        fresh = path.with_suffix(".part")
        fresh.write_text(body, "utf-8")
        fresh.chmod(0o600)
        fresh.replace(path)
