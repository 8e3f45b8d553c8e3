"""The app's mailbox: in the house, so that what is put into it has arrived."""

from collections.abc import Mapping, Sequence

from services.messaging.ports.port import Answer, Handed, Letter, Result


class AppPort:
    """Takes everything; the app lists it (`GET /v1/messaging/clients/{id}/mailbox`)."""

    async def send(self, letters: Sequence[Letter]) -> Mapping[str, Answer]:
        """There it is."""
        return {letter.message_id: Answer(Result.DELIVERED) for letter in letters}

    async def ask(self, handed: Sequence[Handed], /) -> Mapping[str, Answer]:
        """What was in hand for the mailbox is in it."""
        return {one.message_id: Answer(Result.DELIVERED) for one in handed}
