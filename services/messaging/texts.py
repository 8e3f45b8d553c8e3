"""The text of an SMS as carriers take it, and what a reply asks for."""

import re
import unicodedata

OPT_OUT = {"zh-CN": "，拒收请回复R", "en": ". Reply R to stop"}
"""What a marketing SMS ends with [MS7]."""


def sms_text(signature: str, body: str, *, marketing: bool = False, language: str = "zh-CN") -> str:
    """The text of an SMS: signature first [MS5], without what carriers cannot carry (signs outside the basic plane), and
    how to stop it, if it can be stopped [MS7]."""
    plain = unicodedata.normalize("NFC", body).translate(_CARRIED).strip()
    return f"【{signature}】{plain.rstrip('。.') if marketing else plain}{OPT_OUT[language] if marketing else ''}"


class _Carried(dict[int, int | None]):
    """What becomes of each character, found once: many thousands of texts have the same few."""

    def __missing__(self, code: int) -> int | None:
        kept = self[code] = None if code >= 0x10000 or _unseen(chr(code)) else code
        return kept


_CARRIED = _Carried()


def _unseen(character: str) -> bool:
    """Variation selectors, joiners and controls: what an emoji leaves behind."""
    return 0xFE00 <= ord(character) <= 0xFE0F or (
        unicodedata.category(character) in ("Cf", "Cc", "Cs", "Co") and character != "\n"
    )


STOPS = frozenset(("t", "td", "r", "n", "退订", "退", "拒收", "取消", "stop", "unsubscribe"))
ENDS = {f"t{number}": f"SMS{number}" for number in (1, 2, 3)}


def command_of(words: str) -> str:
    """What a reply (上行) asks for [MS7]: `STOP`, `SMS1` to `SMS3`, or `OTHER`, however it is written."""
    plain = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", words)).lower()
    if plain in ENDS:
        return ENDS[plain]
    return "STOP" if plain in STOPS else "OTHER"
