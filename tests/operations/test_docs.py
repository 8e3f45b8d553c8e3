"""What the pages name is there: commands with their options, settings, metrics, routes, files; both READMEs say the same."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import typer
from prometheus_client import REGISTRY

import chassis.telemetry
from careline.asgi import apps_of, platform_app
from careline.cli import app
from careline.settings import OTHERS, all_models, names_of
from chassis.http import routes_of
from tests.world import World

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")))
SERVICE_OF_THE_GUIDE = "docs/new-service.md"  # its service is made, and its page run, by tests/structure
CODE = re.compile(r"^```.*?\n(.*?)^```$|`([^`\n]+)`", re.M | re.S)
SETTING = re.compile(r"\bCARELINE_[A-Z_]*[A-Z]\b(?!\*)")
METRIC = re.compile(r"\bcareline_[a-z_]+_(?:total|seconds|records|open|rows|left|up|stopped|serving)\b")
COMMAND = re.compile(r"(?:^|[;&|(]\s*|\.venv/bin/)careline ([a-z][^;&)#\n]*)", re.M)
ROUTE = re.compile(r"(?:(GET|POST|PUT|DELETE|PATCH) )?((?:\.\.\.)?/[^\s`\"')]+)")
PLACEHOLDER = re.compile(r"[A-Z]+|<.*>|\{.*\}|\.\.\.")
FOLDERS = ("contracts/", "chassis/", "services/", "gateway/", "careline/", "deploy/", "docs/", "bench/", "tests/")


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def code_of(page: str) -> Iterator[str]:
    """Lines of blocks, and words between backticks."""
    for block, word in CODE.findall(text_of(page)):
        yield from block.splitlines() if block else [word.replace(r"\|", "|")]


def choices(words: list[str]) -> Iterator[list[str]]:
    """`keys list|show`: each of them."""
    yield from (
        list(one)
        for one in product(*(word.split("|") if re.fullmatch(r"[a-z|-]+", word) else [word] for word in words))
    )


def wrong_in(words: list[str]) -> str:
    """What is wrong with a command as a page writes it; empty when nothing is."""
    found: Any = typer.main.get_command(app)
    rest = list(words)
    while rest and getattr(found, "commands", None):
        if rest[0].startswith("-"):
            break
        if rest[0] not in found.commands:
            return f"there is no `careline {' '.join(words)}`"
        found = found.commands[rest.pop(0)]
    known = {option for parameter in found.params for option in parameter.opts} | {"--help", "--version"}
    free = found.context_settings.get("ignore_unknown_options")
    unknown = [] if free else [word for word in rest if re.fullmatch(r"--[a-z-]+", word) and word not in known]
    return f"`careline {' '.join(words)}` has no {unknown[0]}" if unknown else ""


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_there_with_its_options(page: str) -> None:
    said = (words for line in code_of(page) for words in COMMAND.findall(line))
    split = (re.sub(r"[\[\]]", " ", words).split() for words in said)
    assert {fault for words in split for one in choices(words) if (fault := wrong_in(one))} == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_is_one(page: str) -> None:
    settings = {name for model in all_models() for name in names_of(model)}
    assert set(SETTING.findall(text_of(page))) - settings - OTHERS == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_metric_is_one(page: str) -> None:
    assert chassis.telemetry
    shown = {name for family in REGISTRY.collect() for name in (family.name, f"{family.name}_total")}
    assert set(METRIC.findall(text_of(page))) - shown == set()


@pytest.mark.parametrize("page", [page for page in PAGES if page != SERVICE_OF_THE_GUIDE])
def test_every_file_is_there(page: str) -> None:
    folder = (ROOT / page).parent
    links = set(re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text_of(page)))
    named = {word for word in code_of(page) if re.fullmatch(r"[a-z0-9_./-]+", word) and word.startswith(FOLDERS)}
    missing = {link for link in links if not (folder / link).exists()}
    missing |= {word for word in named if not (ROOT / word).exists() and not [*ROOT.glob(f"{word}.*")]}
    assert missing == set()


def test_every_route_is_served(world: World) -> None:
    apps = [platform_app(world.platform), *apps_of(world.platform).values()]
    served = {
        (method, tuple(route.path.strip("/").split("/")))
        for one in apps
        for route in routes_of(one)  # type: ignore[arg-type]
        if route.path
        for method in route.methods or {"GET"}
    }
    wrong = []
    for page in PAGES:
        for line in code_of(page):
            for method, path in ROUTE.findall(line):
                if (
                    page != SERVICE_OF_THE_GUIDE
                    and (method or path.startswith("/v1/"))
                    and not _served(method, path, served)
                ):
                    wrong.append(f"{page}: {method} {path}")
    assert wrong == []


def _served(method: str, path: str, served: set[tuple[str, tuple[str, ...]]]) -> bool:
    begins_anywhere = path.startswith("...")
    named = re.split(r"[?,;]", path.removeprefix("..."))[0].strip("/").split("/")
    return any(
        method in ("", other)
        and (len(named) == len(route) or (begins_anywhere and len(named) < len(route)))
        and all(
            one == two or PLACEHOLDER.fullmatch(one) or PLACEHOLDER.fullmatch(two)
            for one, two in zip(named, route[-len(named) :], strict=True)
        )
        for other, route in served
    )


def shape_of(page: str) -> list[tuple[str, list[str], int]]:
    """Levels of headings; under each the blocks, without remarks and what is written in either language, and rows of tables."""
    parts = re.split(r"^(#+) .*$", text_of(page), flags=re.M)
    return [
        (
            level,
            [
                re.sub(r" *#.*|客户号|CLIENT|(?<=Purpose: )[^\"]*", "", block)
                for block, _ in CODE.findall(body)
                if block
            ],
            len(re.findall(r"^\|", body, re.M)),
        )
        for level, body in zip(parts[1::2], parts[2::2], strict=True)
    ]


def test_both_readmes_have_the_same_chapters_blocks_and_tables() -> None:
    assert shape_of("README.md") == shape_of("README.zh-CN.md")
