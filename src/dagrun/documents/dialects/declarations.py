"""Declarations of parameters, of a run or of an approval."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from dagrun.core.model import DECLARING, ParamType
from dagrun.documents.dialects.fields import StrictModel


class DeclarationModel(StrictModel):
    """A declared parameter of the run."""

    type: ParamType | None = Field(None, description="The type of the value (default: any).")
    default: Any = Field(None, description="The value if none is given.")
    enum: list[Any] = Field([], description="The allowed values.")
    required: bool = Field(False, description="Whether a value must be given if there is no default.")
    description: str = Field("", description="What the parameter is for.")


#: What a mapping of parameters may hold: for each a default or a declaration.
DECLARATIONS: Final[dict[str, Any]] = {
    "additionalProperties": {
        "if": {"type": "object", "anyOf": [{"required": [word]} for word in DECLARING]},
        "then": {"$ref": "#/definitions/DeclarationModel"},
    }
}
