"""A mailbox on this machine that speaks as much IMAP as reading it takes: sign in, look for what is unseen, read, mark."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Mailbox:
    """Mails by uid, and which of them were seen; `dies` hangs up in the middle of a mail."""

    def __init__(self) -> None:
        self.mails: dict[int, bytes] = {}
        self.seen: set[int] = set()
        self.dies = False
        self.port = 0

    def add(self, mail: bytes) -> None:
        self.mails[len(self.mails) + 1] = mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK ready\r\n")
        while line := (await reader.readline()).decode().strip():
            tag, _, rest = line.partition(" ")
            command = rest.upper()
            if command.startswith("CAPABILITY"):
                writer.write(b"* CAPABILITY IMAP4rev1\r\n")
            elif command.startswith("LOGIN") and '"secret word"' not in rest:
                writer.write(f"{tag} NO wrong password\r\n".encode())
                continue
            elif command.startswith("SELECT"):
                writer.write(f"* {len(self.mails)} EXISTS\r\n".encode())
            elif command.startswith("UID SEARCH UNSEEN"):
                unseen = " ".join(str(uid) for uid in sorted(self.mails.keys() - self.seen))
                writer.write(f"* SEARCH {unseen}\r\n".encode())
            elif command.startswith("UID FETCH"):
                uid = int(rest.split()[2])
                mail = self.mails[uid]
                writer.write(f"* {uid} FETCH (UID {uid} BODY[]<0> {{{len(mail)}}}\r\n".encode())
                if self.dies:
                    writer.write(mail[:40])
                    break
                writer.write(mail + b")\r\n")
            elif command.startswith("UID STORE"):
                self.seen |= {int(uid) for uid in re.findall(r"\d+", rest.split()[2])}
            writer.write(f"{tag} OK done\r\n".encode())
            await writer.drain()


@asynccontextmanager
async def serving_imap() -> AsyncIterator[Mailbox]:
    """A mailbox for the length of a block."""
    mailbox, tasks = Mailbox(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            with suppress(ConnectionError):
                await mailbox.serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
