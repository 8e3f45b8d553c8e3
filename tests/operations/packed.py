"""An earlier release, packed: `python -m tests.operations.packed COMMIT` packs what `earlier.py` needs of it into `earlier.tar.xz`.

Of its own code only: what the gateway, classification and points import, and their migrations. It is made anew when a release is made.
"""

import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PACK = Path(__file__).with_name("earlier.tar.xz")
DRIVER = Path(__file__).with_name("earlier.py")
FOLDERS = (
    "careline",
    "chassis",
    "contracts",
    "gateway",
    "services/__init__.py",
    "services/classification",
    "services/points",
)
IMPORTED = f"""
import sys, runpy
runpy.run_path({str(DRIVER)!r}, run_name="looked at")
print(*sorted(m.__file__ for m in list(sys.modules.values()) if getattr(m, "__file__", None)), sep="\\n")
"""


def unpacked(folder: Path) -> Path:
    """The packed release in a folder."""
    with tarfile.open(PACK) as tar:
        tar.extractall(folder, filter="data")
    return folder


def main() -> None:
    """Pack a commit."""
    [commit] = sys.argv[1:]
    whole = subprocess.run(["git", "archive", commit, *FOLDERS], cwd=PROJECT, check=True, stdout=subprocess.PIPE).stdout
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        tar.extractall(folder, filter="data")
        root = Path(folder).resolve()
        said = subprocess.run(
            [sys.executable, "-c", IMPORTED], cwd=root, env={"PYTHONPATH": str(root), "PATH": ""}, check=True, text=True,
            stdout=subprocess.PIPE,
        ).stdout  # fmt: skip
        wanted = {Path(line) for line in said.split() if Path(line).is_relative_to(root)}
        wanted |= {path for path in root.rglob("*") if "migrations" in path.parts and path.suffix in {".py", ".sql"}}
        wanted |= {
            path
            for path in root.rglob("*")
            if path.suffix in {".toml", ".csv", ".json"} and "console" not in path.parts
        }
        with tarfile.open(PACK, "w:xz", preset=9) as pack:
            for path in sorted(wanted):
                entry = tarfile.TarInfo(str(path.relative_to(root)))
                entry.size = path.stat().st_size
                with path.open("rb") as file:
                    pack.addfile(entry, file)
    print(f"{PACK.name}: {len(wanted)} files, {PACK.stat().st_size // 1024} kB of {commit}")


if __name__ == "__main__":
    main()
