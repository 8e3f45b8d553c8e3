"""Keys of a benchmark's processes, made anew for each run."""

import base64
import os

KEYS = {name: base64.b64encode(os.urandom(32)).decode() for name in ("internal_key", "field_key", "seal_key")}
