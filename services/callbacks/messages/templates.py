"""Message templates in zh-CN and en; what is missing in a client's record leaves no gap in the words."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

FILE = Path(__file__).with_name("templates.toml")
LANGUAGES = ("zh-CN", "en")
_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Words:
    """A message ready to go: its subject and body, and the template they were made from."""

    subject: str
    body: str
    template: str

    @property
    def digest(self) -> str:
        """SHA-256 of the body, the trace of what was said."""
        return sha256(self.body.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of message in one language. `version` is a short digest of its words."""

    kind: str
    language: str
    subject: str
    body: str
    marketing: bool

    @property
    def name(self) -> str:
        """What the trace names: `welcome/zh-CN/1a2b3c4d`."""
        return f"{self.kind}/{self.language}/{sha256((self.subject + self.body).encode()).hexdigest()[:8]}"

    def fill(self, fields: Mapping[str, str]) -> Words:
        """The words with the client's own data.

        Raises: KeyError, naming a field that is not given: a message with a hole in it is not sent.
        """
        subject = _FIELD.sub(lambda found: fields[found[1]], self.subject)
        return Words(subject, _FIELD.sub(lambda found: fields[found[1]], self.body), self.name)


@cache
def templates() -> Mapping[tuple[str, str], Template]:
    """Every template by kind and language; both languages are always there."""
    found = {}
    for kind, given in tomllib.loads(FILE.read_text("utf-8")).items():
        for language in LANGUAGES:
            words = given[language]
            found[kind, language] = Template(kind, language, words["subject"], words["body"], given["marketing"])
    return found
