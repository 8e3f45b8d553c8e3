"""Every kind of problem: one name says one thing, with one status, in two languages."""

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterator

import careline
import chassis
import gateway
import services
from chassis.errors import Refusal


def _everything() -> None:
    for package in (chassis, gateway, services, careline):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def _kinds(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def test_one_name_has_one_status() -> None:
    _everything()
    statuses: defaultdict[str, set[int]] = defaultdict(set)
    ours = [kind for kind in set(_kinds()) if kind.__module__.split(".")[0] != "tests"]
    for kind in ours:
        statuses[kind.name()].add(kind.status)
        assert kind.title.en, kind
        assert kind.title.zh, kind
    assert {name: found for name, found in statuses.items() if len(found) > 1} == {}
    assert len(ours) > 100


def test_second_persons_and_decided_before_are_said_in_one_way() -> None:
    _everything()
    said = {kind.name() for kind in _kinds()}
    same = {
        name for name in said if name.startswith(("second-", "decided", "same-person", "two-person", "not-your-own"))
    }
    # A promise that is moved a second time is about the promise, not about a second person.
    assert same - {"second-move"} == {"second-person-needed"}
