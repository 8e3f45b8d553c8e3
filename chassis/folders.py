"""Folders that hold secrets or clients' data."""

from pathlib import Path


def private_folder(path: Path) -> Path:
    """Make a folder, and whatever of its parents is missing, for its owner alone (0700); what is there stays as it is."""
    if not path.exists():
        private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path
