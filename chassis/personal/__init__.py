"""Personal data: encrypted per field, found by a blind index, masked by role, cut out of free text."""

from chassis.personal.fields import (
    FieldCipher,
    Undecipherable,
    mask_address,
    mask_email,
    mask_id_number,
    mask_name,
    mask_phone,
    normalised,
    shown_to,
)
from chassis.personal.free_text import mask_text

__all__ = [
    "FieldCipher", "Undecipherable", "mask_address", "mask_email", "mask_id_number", "mask_name", "mask_phone",
    "mask_text", "normalised", "shown_to",
]  # fmt: skip
