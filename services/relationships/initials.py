"""The first letter of a surname [CI13]: by a table of surnames that are read otherwise, else by the character's reading. Pure.

The common characters stand in the order of their readings in GB 2312, so that the first letter follows from the place; a
surname that is read in its own way (单 Shan, 曾 Zeng, 仇 Qiu, 解 Xie, 查 Zha), or whose character lies elsewhere, is in the table.
"""

import unicodedata
from bisect import bisect_right

UNKNOWN = "#"
_FIRST = (
    (0xB0A1, "A"), (0xB0C5, "B"), (0xB2C1, "C"), (0xB4EE, "D"), (0xB6EA, "E"), (0xB7A2, "F"), (0xB8C1, "G"), (0xB9FE, "H"),
    (0xBBF7, "J"), (0xBFA6, "K"), (0xC0AC, "L"), (0xC2E8, "M"), (0xC4C3, "N"), (0xC5B6, "O"), (0xC5BE, "P"), (0xC6DA, "Q"),
    (0xC8BB, "R"), (0xC8F6, "S"), (0xCBFA, "T"), (0xCDDA, "W"), (0xCEF4, "X"), (0xD1B9, "Y"), (0xD4D1, "Z"), (0xD7FA, ""),
)  # fmt: skip
_STARTS = [start for start, _ in _FIRST]
_READ_OTHERWISE = {
    "B": "秘贲邴薄", "C": "谌晁岑种晟褚", "D": "笪邸窦", "F": "酆", "G": "盖炅缑郜", "H": "黑华郇桓扈", "J": "郏嵇蓟纪菅", "K": "阚邝蒯亢伉隗",
    "L": "郦蔺逯栾", "M": "缪牟宓闵", "N": "佴乜", "O": "区", "P": "朴逄濮", "Q": "仇覃亓綦祁瞿璩谯郄麴阙裘", "R": "芮", "S": "单佘折召莘姒",
    "T": "佟邰仝檀滕", "W": "邬", "X": "解冼洗冯郗荀胥奚郤", "Y": "员么乐晏闫鄢尉羿", "Z": "曾查翟臧訾昝仉竺祭",
}  # fmt: skip
COMPOUND = {"尉迟": "Y", "长孙": "Z", "万俟": "M", "单于": "C", "宗政": "Z", "澹台": "T", "濮阳": "P", "令狐": "L"}
_SURNAMES = {name: letter for letter, names in _READ_OTHERWISE.items() for name in names}


def initial_of(name: str) -> str:
    """The first letter under which a client is filed; `#` where nobody can say."""
    plain = unicodedata.normalize("NFKC", name).strip()
    if not plain:
        return UNKNOWN
    if plain[:2] in COMPOUND:
        return COMPOUND[plain[:2]]
    first = plain[0]
    if first in _SURNAMES:
        return _SURNAMES[first]
    if first.isascii():
        return first.upper() if first.isalpha() else UNKNOWN
    return _by_reading(first)


def _by_reading(character: str) -> str:
    try:
        stored = character.encode("gb2312")
    except UnicodeEncodeError:
        return UNKNOWN
    place = bisect_right(_STARTS, int.from_bytes(stored, "big")) - 1
    return (_FIRST[place][1] if place >= 0 else "") or UNKNOWN
