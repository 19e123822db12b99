"""The keys `approval` and `wait` of a task in every dialect, and what has to fit in them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, ValidationError

from dagrun.core.model import DECLARING, NAME_PATTERN, NAME_RULE, is_name, seconds
from dagrun.documents.dialects import fields
from dagrun.documents.dialects.declarations import DECLARATIONS, DeclarationModel
from dagrun.documents.dialects.dialect import Path
from dagrun.documents.dialects.fields import Duration, StrictModel, Timeout
from dagrun.documents.parameters import is_deferred, problem_with_default
from dagrun.documents.yaml import Finding, Source
from dagrun.kinds.approval import param_of
from dagrun.kinds.wait import moment_of, zone_problem

_TEXT = Annotated[str, Field(min_length=1)]

#: The keys of `wait` that say what ends it; a wait has one of them.
_ENDS: Final = ("seconds", "until", "file", "signal")


class ApprovalModel(StrictModel):
    """A person decides whether the run goes on."""

    prompt: _TEXT | None = Field(None, description="The question, which is shown to the person who decides.")
    required_role: Literal["Viewer", "Operator", "Admin"] = Field(
        "Operator", description="The lowest role that may decide."
    )
    inputs: dict[str, Any] = Field(
        {},
        description="Values that the person gives, declared like the parameters of a run; they become outputs of the task.",
        json_schema_extra={**DECLARATIONS, "propertyNames": {"pattern": f"^{NAME_PATTERN}$"}},
    )
    expires: Timeout | None = Field(
        None, description="How long the person has (default: the setting APPROVAL_EXPIRES_H, 72 hours)."
    )


class WaitModel(StrictModel):
    """Wait without a worker. One of `seconds`, `until`, `file` and `signal` says for what."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [each]} for each in _ENDS],
            "dependencies": {"timezone": ["until"], "settle": ["file"]},
        }
    )

    seconds: Duration | None = Field(None, description="Wait so long.")
    until: _TEXT | None = Field(
        None,
        description="Wait until this moment, such as `2026-01-31T09:00:00Z`, or until this time of day: `09:30`.",
    )
    timezone: _TEXT | None = Field(None, description="The time zone of `until` (default: UTC).")
    file: _TEXT | None = Field(
        None, description="Wait until this file exists; relative to the working directory of the task."
    )
    settle: Duration | None = Field(None, description="How long the file must not have changed.")
    signal: _TEXT | None = Field(None, description="Wait until `dagrun signal RUN NAME` sends this signal.")
    timeout: Timeout | None = Field(
        None, description="Fail after this time; the same as `timeout` of the task."
    )


def approval_problems(node: Mapping[str, Any], path: Path, source: Source) -> Iterator[Finding]:
    """The problems of a task with the key `approval`."""
    if "timeout" in node or "timeoutSeconds" in node:
        key = "timeout" if "timeout" in node else "timeoutSeconds"
        message = f"an approval has no '{key}'"
        yield Finding(
            source.place((*path, key), key=True),
            message,
            "misplaced-key",
            "write `expires` inside 'approval'",
        )
    inputs = node["approval"].get("inputs", {})
    for name, value in inputs.items():
        at = (*path, "approval", "inputs", name)
        if not is_name(name):
            message = f"'{name[:60]}' is not a valid name: {NAME_RULE}"
            yield Finding(source.place(at, key=True), message, "invalid-value")
        if isinstance(value, dict) and not value.keys().isdisjoint(DECLARING):
            try:
                DeclarationModel.model_validate(value)
            except ValidationError as error:
                yield from fields.findings(error, source, at, DeclarationModel, {})
                continue
        param = param_of(name, value)
        if is_deferred(param.default):
            message = (
                f"the default of the input '{name}' must not contain ${{{{ }}}}, which is not evaluated here"
            )
            yield Finding(source.place(at), message, "invalid-value")
        elif problem := problem_with_default(param, "input"):
            yield Finding(source.place(at), problem, "invalid-value")


def wait_problems(model: WaitModel, node: Mapping[str, Any], path: Path, source: Source) -> Iterator[Finding]:
    """The problems of a task with the key `wait`."""
    given = node["wait"]
    at = (*path, "wait")
    ends = [word for word in given if word in _ENDS]
    if not ends:
        hint = f"give it one of {', '.join(map(repr, _ENDS))}"
        yield Finding(source.place(at), "'wait' does not say what ends it", "missing-key", hint)
    for word in ends[1:]:
        message = f"a wait has one end, but this one has '{ends[0]}' and '{word}'"
        yield Finding(source.place((*at, word), key=True), message, "two-actions")
    for word, needed in (("settle", "file"), ("timezone", "until")):
        if word in given and needed not in given:
            message = f"'{word}' needs '{needed}'"
            yield Finding(source.place((*at, word), key=True), message, "misplaced-key")
    outer = next((word for word in ("timeout", "timeoutSeconds") if word in node), None)
    if outer is not None and model.timeout is not None:
        message = f"'{outer}' and 'wait.timeout' mean the same; keep one"
        yield Finding(source.place((*at, "timeout"), key=True), message, "two-spellings")
    limit = model.timeout if outer is None else _duration(node[outer])
    if model.seconds is not None and limit and limit <= model.seconds:
        message = f"a wait of {model.seconds:g}s with a timeout of {limit:g}s always fails"
        yield Finding(source.place((*at, "seconds")), message, "contradiction")
    if model.signal is not None and "${{" not in model.signal and not is_name(model.signal):
        message = f"'{model.signal[:60]}' is not a valid name of a signal: {NAME_RULE}"
        yield Finding(source.place((*at, "signal")), message, "invalid-value")
    zone = model.timezone or "UTC"
    if "${{" not in zone and (problem := zone_problem(zone)):
        yield Finding(source.place((*at, "timezone")), problem, "invalid-value")
    elif model.until is not None and "${{" not in model.until and "${{" not in zone:
        now = time.time()
        try:
            if moment_of(model.until, zone, now) < now:
                message = "this moment has passed: the task will not wait"
                place = source.place((*at, "until"))
                yield Finding(place, message, "past-moment", "write a later one", "warning")
        except ValueError as error:
            yield Finding(source.place((*at, "until")), str(error), "invalid-value")


def _duration(written: Any) -> float | None:
    """A duration in seconds; None for anything else, which is reported elsewhere."""
    try:
        return seconds(written)
    except ValueError:
        return None
