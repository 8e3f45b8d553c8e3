"""What several routes of products answer with, and who may ask."""

from typing import Annotated

from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.errors import Text
from chassis.http import permits

Reader = Annotated[Actor, permits("products:read", *Role)]


class Both(BaseModel):
    """A sentence in both languages."""

    en: str
    zh: str = Field(serialization_alias="zh-CN")

    @classmethod
    def of(cls, text: Text) -> "Both":
        """A text as answers have it."""
        return cls(en=text.en, zh=text.zh)
