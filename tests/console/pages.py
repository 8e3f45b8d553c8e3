"""A console page as a test reads it: what it shows, its buttons by act, its forms as a browser would send them."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx

VOID = {"input", "br", "img", "link", "meta", "hr", "col"}


@dataclass
class Form:
    """A form: where it is sent and what is in its fields."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


@dataclass
class Act:
    """A button with an act's name: `opens` is where its form is, `form` the form it lies in."""

    name: str
    opens: str | None
    form: Form | None


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.answer = answer
        self.status = answer.status_code
        self.headings = 0
        self.mains = 0
        self.acts: list[Act] = []
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._form: Form | None = None
        self._select: str | None = None
        self._area: str | None = None
        self.feed(answer.text)

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        attrs = {name: value or "" for name, value in given}
        self.headings += tag == "h1"
        self.mains += tag == "main"
        if tag == "a" and "href" in attrs:
            self.links.append(attrs["href"])
        if tag == "form":
            self._form = Form(attrs.get("hx-post") or attrs.get("action", ""))
            self.forms.append(self._form)
        if "data-act" in attrs:
            self.acts.append(Act(attrs["data-act"], attrs.get("hx-get"), self._form))
        name = attrs.get("name")
        if self._form is not None and name and tag in ("input", "select", "textarea"):
            if attrs.get("type") in ("checkbox", "radio"):
                if "checked" in attrs:
                    self._form.fields[name] = attrs.get("value", "on")
            else:
                self._form.fields.setdefault(name, attrs.get("value", ""))
            if "aria-invalid" in attrs:
                self._form.wrong.append(name)
            self._select = name if tag == "select" else None
            self._area = name if tag == "textarea" else None
        if tag == "option" and self._form is not None and self._select and "selected" in attrs:
            self._form.fields[self._select] = attrs.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if tag in ("select", "textarea"):
            self._select = self._area = None

    def handle_data(self, data: str) -> None:
        if self._area and self._form is not None:
            self._form.fields[self._area] += data

    def act(self, name: str, number: int = 0) -> Act:
        """The button of an act."""
        found = [one for one in self.acts if one.name == name]
        assert len(found) > number, (name, [one.name for one in self.acts], self.answer.text[:2000])
        return found[number]


@dataclass
class Person:
    """Somebody at the console: an HTTP client with their session."""

    http: httpx.AsyncClient
    language: str = "en"
    csrf: str = ""

    async def see(self, path: str, **options: Any) -> Page:
        """Open a page."""
        answer = await self.http.get(path, headers={"accept-language": self.language}, **options)
        if token := re.search(r'"X-CSRF-Token": "(\w+)"', answer.text):
            self.csrf = token[1]
        return Page(answer)

    async def send(self, form: Form, **typed: str) -> Page:
        """Send a form as htmx does."""
        return Page(
            await self.http.post(
                form.action,
                data=form.fields | typed,
                headers={"x-csrf-token": self.csrf, "hx-request": "true", "accept-language": self.language},
            )
        )

    async def do(self, page: Page, name: str, number: int = 0, /, **typed: str) -> Page:
        """Press the button of an act, fill in what its form asks, and send it; where it leads, or the form with what is wrong."""
        act = page.act(name, number)
        form = act.form
        if act.opens:
            opened = Page(
                await self.http.get(act.opens, headers={"hx-request": "true", "accept-language": self.language})
            )
            assert opened.status == 200, opened.answer.text
            form = opened.forms[0]
        assert form is not None
        sent = await self.send(form, **typed)
        if following := sent.answer.headers.get("hx-redirect"):
            return await self.see(following)
        return sent
