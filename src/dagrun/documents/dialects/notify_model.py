"""The model of `notify`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dagrun.documents.dialects.fields import StrictModel

_Url = Annotated[str, Field(min_length=1)]
#: One address, or several.
Urls = _Url | Annotated[list[_Url], Field(min_length=1)]


class NotifyModel(StrictModel):
    """A message, and where it is sent."""

    url: Urls = Field(description="The address, or a list of them.")
    title: str | None = Field(None, min_length=1, description="The title (default: the DAG and its outcome).")
    body: str | None = Field(
        None, min_length=1, description="The text (default: the reason and the failed tasks)."
    )
