"""How a command ended: its exit code, and the outputs that it wrote to $DAGRUN_OUTPUT."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dagrun.blobs import open_regular
from dagrun.core.work import AttemptResult, Json, Outputs, Work
from dagrun.executors.calling import encode_outputs
from dagrun.executors.local.commands import output_file
from dagrun.executors.outputs import INLINE_BYTES, note, store
from dagrun.masking import Masker
from dagrun.run_layout import AttemptPaths

_BLOCK = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)<<(\S+\r?)\Z")
_PAIR = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)=(.*)\Z", re.DOTALL)


class BadOutputFile(ValueError):
    """$DAGRUN_OUTPUT has no outputs in a known format."""


def not_run(error: str) -> AttemptResult:
    """The end of an attempt whose command could not be started."""
    return AttemptResult(duration=0.0, error=error, error_type="CommandNotRun", exit_code=127)


def exist(paths: AttemptPaths) -> bool:
    """Whether a command has left anything in the place of the file for its outputs."""
    return os.path.lexists(output_file(paths))


def ended(
    work: Work,
    paths: AttemptPaths,
    code: int,
    duration: float,
    killed_by: str | None,
    *,
    has_outputs: bool = True,
    was_stopped: bool = False,
) -> AttemptResult:
    """The end of a command, with its outputs, if it has any, even if it failed.

    A command that `was_stopped` has failed whatever its exit code is. A failed command keeps its own error when its
    outputs cannot be read; its log then says why.
    """
    error, error_type = None, None
    if killed_by is not None:
        error, error_type = f"killed by {killed_by}", "Killed"
    elif code:
        error, error_type = f"exit code {code}", "CommandFailed"
    elif was_stopped:
        error, error_type = "ended by SIGTERM", "Terminated"
    outputs: Outputs = {}
    try:
        outputs = _collect(work, paths, Masker(work.masks)) if has_outputs else {}
    except Exception as problem:  # whatever the body has written, its attempt ends
        why = _output_error(problem)
        if error is None:
            error, error_type = why, "BadOutput"
        else:
            with contextlib.suppress(OSError):
                note(paths.log, work.masks, f"its outputs are lost: {why}")
    return AttemptResult(
        duration=duration, outputs=outputs, error=error, error_type=error_type, exit_code=code
    )


def _output_error(problem: Exception) -> str:
    if isinstance(problem, RecursionError):
        return "$DAGRUN_OUTPUT has JSON that is nested too deeply"
    return str(problem) or type(problem).__name__


def _collect(work: Work, paths: AttemptPaths, masker: Masker) -> Outputs:
    path = Path(output_file(paths))
    try:
        status = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return {}
    if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device might never end
        raise BadOutputFile("$DAGRUN_OUTPUT is not an ordinary file any more")
    size = status.st_size
    if size > work.max_output_bytes:
        raise BadOutputFile(
            f"$DAGRUN_OUTPUT has {size} bytes; at most {work.max_output_bytes} are allowed (max_output_bytes)"
        )
    try:
        with open(open_regular(path, os.O_RDONLY), "rb") as file:
            outputs = masker.value(parse_outputs(file.read().decode(), masker.text))
    except UnicodeDecodeError as error:
        raise BadOutputFile(f"$DAGRUN_OUTPUT is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise BadOutputFile("$DAGRUN_OUTPUT has JSON that is nested too deeply") from None
    data = encode_outputs(outputs)
    return outputs if len(data) <= INLINE_BYTES else store(Path(paths.outputs), data)


def parse_outputs(text: str, mask: Callable[[str], str] = str) -> dict[str, Json]:
    """Outputs as a script writes them: `key=value` lines, `key<<EOF` blocks, or one JSON object.

    Only a line feed ends a line: a carriage return before it belongs to the value. Raises BadOutputFile with the number
    and the masked beginning of a line that is none of these.
    """
    if text.lstrip().startswith("{"):
        return _parse_json(text)
    outputs: dict[str, Json] = {}
    lines = enumerate(text.split("\n"), start=1)
    for number, line in lines:
        if match := _BLOCK.match(line):
            outputs[match[1]] = _read_block(lines, number, match[2])
        elif match := _PAIR.match(line):
            outputs[match[1]] = match[2]
        elif line.strip():
            raise BadOutputFile(
                f"line {number} of $DAGRUN_OUTPUT is neither key=value nor key<<END: {mask(line)[:80]!r}"
            )
    return outputs


def _read_block(lines: Any, start: int, end: str) -> str:
    block: list[str] = []
    for _, line in lines:
        if line == end:
            return "\n".join(block)
        block.append(line)
    raise BadOutputFile(
        f"the block that begins in line {start} of $DAGRUN_OUTPUT has no closing line '{end}'"
    )


def _parse_json(text: str) -> dict[str, Json]:
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise BadOutputFile(f"$DAGRUN_OUTPUT begins like a JSON object but is not one: {why}") from None
    if not isinstance(data, dict):
        raise BadOutputFile("$DAGRUN_OUTPUT is JSON but not an object")
    return data


def _refuse_constant(word: str) -> Json:
    raise ValueError(f"{word} is not JSON")
