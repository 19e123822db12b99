"""A shell task's surroundings: its script, environment and files before it runs, its outputs after."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dagrun.blobs import load, open_regular, write_regular
from dagrun.executors import processes
from dagrun.executors.artifacts import set_aside
from dagrun.executors.calling import BadCall, encode_outputs
from dagrun.executors.outputs import INLINE_BYTES, open_log, spool_path, store
from dagrun.masking import Masker
from dagrun.payloads import merged_params, parameter_variable
from dagrun.work import (
    MOST_IN_ENVIRONMENT,
    Attempt,
    Blob,
    Command,
    Ended,
    Json,
    Outputs,
    Work,
)

_BLOCK = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)<<(\S+)\Z")
_PAIR = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)=(.*)\Z", re.DOTALL)


class BadSurroundings(ValueError):
    """The parameters cannot be handed to a script, or what it wrote is no set of outputs."""


def environment(work: Work) -> dict[str, str]:
    """What a script finds besides dagrun's own environment; writes the files that it names.

    Raises BadSurroundings when two parameters would share one variable or a value is no text that the system takes,
    OSError when a file cannot be written.
    """
    attempt = work.attempt
    params = merged_params(
        work.params, {task: _data(work, outputs) for task, outputs in work.upstream.items()}
    )
    env = {**work.env, **work.own_env}
    _check_env(env)
    if attempt.number > 1:
        set_aside(attempt.artifacts, f"{attempt.scratch}.before")
    return {
        **env,
        **attempt.variables(),
        "DAGRUN_OUTPUT": _output(attempt),
        "DAGRUN_PARAMS_FILE": _params_file(attempt, params),
        **_parameter_variables(params, attempt.scratch),
    }


def _output(attempt: Attempt) -> str:
    return f"{attempt.scratch}.output"


def _params_file(attempt: Attempt, params: Mapping[str, Json]) -> str:
    """All parameters as JSON. Most tasks have none, and share one file that says so: making a file costs a good deal."""
    shared = f"{attempt.scratch.rpartition('/')[0]}/none.json"
    if not params and _is_empty_object(shared):
        return shared
    Path(shared).parent.mkdir(exist_ok=True)
    own = f"{attempt.scratch}.params.json"
    path = own if params or os.path.lexists(shared) else shared  # a body has changed the shared one
    write_regular(path, json.dumps(params).encode())
    return path


def _is_empty_object(path: str) -> bool:
    """Whether the file is as it was written, for all that its size and its kind tell."""
    try:
        status = os.stat(path)  # noqa: PTH116 - asked for every task
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == len(b"{}")


def _check_env(env: Mapping[str, str]) -> None:
    for name, value in env.items():
        if "\0" in value:
            raise BadSurroundings(
                f"the environment variable {name} holds a NUL character; no system takes one"
            )


def _data(work: Work, outputs: Outputs) -> Mapping[str, Json]:
    if isinstance(outputs, Blob):
        return load(Path(work.attempt.outputs).parent, outputs)
    return outputs


def _parameter_variables(params: Mapping[str, Json], scratch: str) -> dict[str, str]:
    owners: dict[str, str] = {}
    found: dict[str, str] = {}
    for number, (name, value) in enumerate(params.items()):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        # An upstream may have written half a surrogate pair into its JSON; what follows has no use for one.
        data = text.encode("utf-8", "replace")
        key = parameter_variable(name)
        if len(data) > MOST_IN_ENVIRONMENT or b"\0" in data:
            key += "_FILE"
            found[key] = f"{scratch}.param{number}"
            write_regular(found[key], data)
        else:
            found[key] = data.decode()
        for owned in {key, parameter_variable(name)}:
            if owned in owners:
                raise BadSurroundings(
                    f"parameters '{owners[owned]}' and '{name}' would both be ${owned}; rename one"
                )
            owners[owned] = name
    return found


def script_argv(body: Command) -> list[str]:
    """The command line that runs the script."""
    return [*body.argv, body.script]


def unspawned(error: str) -> Ended:
    """How an attempt ended whose command could not be run at all."""
    return Ended(duration=0.0, error=error, error_type="CommandNotRun", exit_code=127)


def ended(work: Work, code: int, duration: float, killed_by: str | None) -> Ended:
    """How a command ended: its exit code, and its outputs when that is zero."""
    if killed_by is not None:
        return Ended(duration=duration, error=f"killed by {killed_by}", error_type="Killed", exit_code=code)
    if code:
        return Ended(duration=duration, error=f"exit code {code}", error_type="CommandFailed", exit_code=code)
    try:
        outputs = _collect(work, Masker(work.masks))
    except (BadSurroundings, BadCall, OSError) as error:
        return Ended(duration=duration, error=str(error), error_type="BadOutput", exit_code=code)
    return Ended(duration=duration, outputs=outputs, exit_code=0)


def clean(work: Work) -> None:
    """Remove what only the attempt itself needed. What a body has made of it goes with the whole scratch directory."""
    scratch = work.attempt.scratch
    with contextlib.suppress(OSError):
        os.unlink(_output(work.attempt))  # noqa: PTH108 - asked for every task
    with contextlib.suppress(OSError):  # without it there are no files of single parameters
        os.unlink(f"{scratch}.params.json")  # noqa: PTH108
        for path in Path(scratch).parent.glob(f"{glob.escape(Path(scratch).name)}.param*"):
            path.unlink(missing_ok=True)


def note_left(work: Work, left: Sequence[tuple[int, str]]) -> None:
    """Add to the attempt's log what it left running, which was then ended."""
    line = Masker(work.masks).text(processes.ended_line(left))
    with contextlib.suppress(OSError), open(open_log(work.attempt.log), "wb") as log:
        log.write(line.encode("utf-8", "backslashreplace"))


def keep_spool(attempt: Attempt, worker: int) -> None:
    """What the last body of a worker that died had printed becomes its log, if it went to the worker's spool."""
    spool = Path(spool_path(attempt.scratch.rpartition("/")[0], worker))
    with contextlib.suppress(OSError):
        if spool.stat().st_size:
            spool.rename(attempt.log)


def _collect(work: Work, masker: Masker) -> Outputs:
    path = Path(_output(work.attempt))
    try:
        status = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return {}
    if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device would not end
        raise BadSurroundings("$DAGRUN_OUTPUT is no ordinary file any more")
    size = status.st_size
    if size > work.max_output_bytes:
        raise BadSurroundings(
            f"$DAGRUN_OUTPUT holds {size} bytes; at most {work.max_output_bytes} are allowed (max_output_bytes)"
        )
    try:
        with open(open_regular(path, os.O_RDONLY), encoding="utf-8") as file:
            outputs = masker.value(parse_outputs(file.read()))
    except UnicodeDecodeError as error:
        raise BadSurroundings(f"$DAGRUN_OUTPUT is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise BadSurroundings("$DAGRUN_OUTPUT holds JSON that is nested too deeply") from None
    data = encode_outputs(outputs)
    return outputs if len(data) <= INLINE_BYTES else store(Path(work.attempt.outputs), data)


def parse_outputs(text: str) -> dict[str, Json]:
    """Outputs as a script writes them: `key=value` lines, `key<<EOF` blocks, or one JSON object (CONTRACT 4).

    Raises BadSurroundings with the number of the line that is none of these.
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
            raise BadSurroundings(
                f"line {number} of $DAGRUN_OUTPUT is neither key=value nor key<<END: {line[:80]!r}"
            )
    return outputs


def _read_block(lines: Any, start: int, end: str) -> str:
    block: list[str] = []
    for _, line in lines:
        if line == end:
            return "\n".join(block)
        block.append(line)
    raise BadSurroundings(
        f"the block that begins in line {start} of $DAGRUN_OUTPUT has no closing line '{end}'"
    )


def _parse_json(text: str) -> dict[str, Json]:
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise BadSurroundings(f"$DAGRUN_OUTPUT begins like a JSON object but is none: {why}") from None
    if not isinstance(data, dict):
        raise BadSurroundings("$DAGRUN_OUTPUT is JSON but not an object")
    return data


def _no_constant(word: str) -> Json:
    raise ValueError(f"{word} is not JSON")
