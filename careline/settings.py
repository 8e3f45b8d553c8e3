"""Every setting of the platform judged together when a command begins: each wrong one is named, and what nobody knows is found."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from chassis.secrets import known_ring
from chassis.settings import KEYS, Settings
from gateway.settings import GatewaySettings

OTHERS = frozenset(("CARELINE_CACHE",))
"""Names of the environment that are no fields of settings: where fetched jars are kept."""


class SettingsWrong(ValueError):
    """Settings that cannot be used: `lines` says of each why."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


def loaded() -> Settings:
    """The platform's settings; light, as the server may start before the services are loaded.

    Raises: SettingsWrong, with those of the services' own as well when something is wrong.
    """
    wrong = [*_wrong((Settings, GatewaySettings)), *_damaged()]
    if wrong:
        raise SettingsWrong([*wrong, *_wrong(_of_services())])
    return Settings()


def judge_services() -> None:
    """Look at the settings that only services have.

    Raises: SettingsWrong.
    """
    if wrong := _wrong(_of_services()):
        raise SettingsWrong(wrong)


def all_models() -> tuple[type[BaseSettings], ...]:
    """Whatever reads settings."""
    return (Settings, GatewaySettings, *_of_services())


def names_of(model: type[BaseSettings]) -> list[str]:
    """The names of a model's settings in the environment."""
    return [f"{model.model_config['env_prefix']}{field}".upper() for field in model.model_fields]


def unknown(environment: Mapping[str, str]) -> dict[str, str]:
    """Names of the environment that look like settings and are none, with the setting most like each, or an empty text."""
    known = {*OTHERS, *(name for model in all_models() for name in names_of(model))}
    found = (name for name in sorted(environment) if name.upper().startswith("CARELINE_"))
    return {
        name: next(iter(difflib.get_close_matches(name.upper(), known, 1)), "")
        for name in found
        if name.upper() not in known
    }


def lines_of(error: ValidationError, prefix: str = "CARELINE_") -> list[str]:
    """Why settings are wrong, a line each; never with the value, which may be secret."""
    lines = []
    for found in error.errors(include_input=False, include_url=False):
        name, said = "_".join(map(str, found["loc"])).upper(), found["msg"].removeprefix("Value error, ")
        lines.append(f"setting {prefix}{name}: {said}" if name else f"settings: {said}")
    return lines


def _wrong(models: Iterable[type[BaseSettings]]) -> list[str]:
    lines: list[str] = []
    for model in models:
        try:
            model()
        except ValidationError as error:
            lines += lines_of(error, str(model.model_config["env_prefix"]))
    return lines


def _damaged() -> list[str]:
    """Keys of the home that cannot be read."""
    try:
        settings = Settings()
    except ValidationError:
        return []  # where the home is, is not sure
    lines = []
    for name in KEYS:
        try:
            known_ring(settings, name)
        except (ValueError, OSError) as error:
            lines.append(f"secret {name}: {error}")
    return lines


def _of_services() -> tuple[type[BaseSettings], ...]:
    from careline.services import SERVICES

    return tuple(model for service in SERVICES for model in service.settings)
