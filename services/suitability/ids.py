"""Ids of what facts cause: the same in every run."""

import uuid

NAMESPACE = uuid.UUID("5f0c6d2e-7a2b-5c59-9a0e-6f1d6f1b7c11")


def derived_id(*parts: object) -> str:
    """The id of something that a fact causes: the same in every run."""
    return str(uuid.uuid5(NAMESPACE, "/".join(map(str, parts))))
