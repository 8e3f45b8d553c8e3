"""The command line loads little: `up` starts its server while the rest of the program is being loaded."""

import subprocess
import sys


def test_what_is_heavy_is_loaded_when_it_is_needed() -> None:
    asked = "import sys, careline.cli; print([m for m in ('sqlalchemy', 'fastapi', 'aiokafka', 'alembic', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
