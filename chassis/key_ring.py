"""Keys as they are written down: base64 of 32 bytes each, the newest first."""

import base64
import binascii

KEY_BYTES = 32


def ring_of(text: str, where: str) -> tuple[bytes, ...]:
    """The keys of a text, a comma or a line apart; `where` it came from is named in the error.

    Raises: ValueError.
    """
    keys = []
    for line in text.replace(",", " ").split():
        try:
            raw = base64.b64decode(line, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"{where} must be base64 of {KEY_BYTES} bytes") from None
        if len(raw) != KEY_BYTES:
            raise ValueError(f"{where} must be base64 of {KEY_BYTES} bytes, not of {len(raw)}")
        keys.append(raw)
    if not keys:
        raise ValueError(f"{where} is empty: it must be base64 of {KEY_BYTES} bytes")
    return tuple(keys)
