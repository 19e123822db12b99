"""Prepares a command: its command line, its environment and the files that it reads; removes these files afterwards."""

from __future__ import annotations

import glob
import json
import os
import shlex
import shutil
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from dagrun.blobs import load, write_regular
from dagrun.core.payloads import (
    MAX_ENVIRONMENT_BYTES,
    MAX_VARIABLE_BYTES,
    ParameterVariables,
    merged_params,
    parameter_variables,
    size_of,
    variables_named_in,
)
from dagrun.core.work import SCRIPT_FILE, Blob, Command, Json, Outputs, Work
from dagrun.executors.artifacts import set_aside
from dagrun.executors.local.attempts import attempt_variables
from dagrun.executors.outputs import note
from dagrun.process import encoding
from dagrun.run_layout import AttemptPaths
from dagrun.value import Value

#: A longer script, in bytes, becomes a file if its interpreter can take one.
_MAX_TEXT = 32 * 1024
#: Limits of Linux in bytes: for one argument, or one variable with its name; and for a command line with its environment,
#: even if the configured limit is higher.
_MAX_ARGUMENT = 128 * 1024 - 1
_MAX_TOTAL = 6 * 1024 * 1024
#: Bytes of a command line that stay free for parts that are not counted here.
_RESERVE = 16 * 1024
_MAX_NAMES = 3  # variables in one message


class BadSurroundings(ValueError):
    """A command cannot be started with this environment."""


class ValueTooLarge(BadSurroundings):
    """A script, or a value that it reads, is larger than the system allows; a retry would not help."""


class Spawn(Value):
    """A command line, and variables to add to dagrun's own environment, as text for `encoding.to_bytes`."""

    argv: list[str]
    environment: dict[str, str]


def prepared(work: Work, paths: AttemptPaths, body: Command) -> Spawn:
    """Prepare a command: write the files that it reads, and note in its log which variables it does not get.

    Raises BadSurroundings when the command cannot be started, OSError when a file cannot be written.
    """
    argv = _command_line(paths, body)
    return Spawn(argv, environment(work, paths, body.script, sum(map(len, argv))))


def environment(work: Work, paths: AttemptPaths, script: str = "", argument_bytes: int = 0) -> dict[str, str]:
    """The variables that a script gets besides dagrun's own environment. Writes the files that they name.

    Raises BadSurroundings when a variable that the script reads cannot be set, or the system does not accept the
    environment; OSError when a file cannot be written.
    """
    attempt = work.attempt
    upstream = {task: _data(paths, outputs) for task, outputs in work.upstream.items()}
    params = merged_params(work.params, upstream)
    if attempt.number > 1:
        set_aside(paths.artifacts, f"{paths.scratch}.before")
    files = {"DAGRUN_OUTPUT": output_file(paths), "DAGRUN_PARAMS_FILE": _params_file(paths, params)}
    about = {
        name: encoding.from_system(text) for name, text in (attempt_variables(attempt, paths) | files).items()
    }
    given = {**work.env, **work.own_env, **about}
    if not params and _is_small(given, argument_bytes):
        return given
    free = _check_env(given, argument_bytes)
    named = variables_named_in(script)
    room = max(0, min(MAX_ENVIRONMENT_BYTES - size_of(given), free // 2))
    variables = parameter_variables(work.params, upstream, named, room, len(paths.scratch) + 20)
    _check_named(variables, named)
    for sentence in _left_out(variables, named):
        note(paths.log, work.masks, sentence)
    given |= {name: data.decode() for name, data in variables.variables.items()}
    for number, (name, data) in enumerate(variables.files.items()):
        path = f"{paths.scratch}.param{number}"
        write_regular(path, data)
        given[name] = encoding.from_system(path)
    return given


def output_file(paths: AttemptPaths) -> str:
    """The file to which the command writes its outputs."""
    return f"{paths.scratch}.output"


def _params_file(paths: AttemptPaths, params: Mapping[str, Json]) -> str:
    """Write all parameters as JSON. Tasks without any share one file, as creating a file is slow."""
    path = f"{paths.scratch}.params.json" if params else f"{paths.scratch.rpartition('/')[0]}/none.json"
    if params or not _is_intact(path):
        _remove(path)  # a body may have replaced it
        Path(path).parent.mkdir(exist_ok=True)
        write_regular(path, json.dumps(params).encode())
    return path


def _is_intact(path: str) -> bool:
    """Whether the shared file without parameters still has its content. Called for every task."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == len("{}")


def _is_small(given: Mapping[str, str], argument_bytes: int) -> bool:
    """Whether these variables are accepted, however their characters are encoded. Called for every task."""
    text = "".join(given.values())
    size = 4 * (sum(map(len, given)) + len(text) + 16 * len(given))
    most, inherited = _system_limits()
    return "\0" not in text and size < _MAX_ARGUMENT and size < most - inherited - argument_bytes - _RESERVE


def _check_env(given: Mapping[str, str], argument_bytes: int) -> int:
    """How many bytes the system accepts besides these variables. Raises BadSurroundings when it does not accept them."""
    for name, value in given.items():
        if "\0" in value:
            raise BadSurroundings(
                f"the environment variable {name} has a NUL character, which no system accepts"
            )
        if (size := len(name) + len(encoding.to_bytes(value)) + 1) > _MAX_ARGUMENT:
            raise ValueTooLarge(
                f"the environment variable {name} takes {size:,} bytes with its name; "
                f"the system accepts at most {_MAX_ARGUMENT:,}: {_INSTEAD}"
            )
    most, inherited = _system_limits()
    free = most - inherited - argument_bytes - size_of(given) - _RESERVE
    if free < 0:
        largest = max(given, key=lambda name: len(given[name]))
        raise ValueTooLarge(
            f"the task's environment takes {size_of(given):,} bytes, besides {inherited:,} of dagrun's own; the system "
            f"accepts at most {most:,} with the command line. The largest variable is {largest}: {_INSTEAD}"
        )
    return free


_INSTEAD = "put its value into a file, or into `params`, which a script can read from $DAGRUN_PARAMS_FILE"


@cache
def _system_limits() -> tuple[int, int]:
    """How many bytes the system accepts for a command line with its environment, and how many dagrun's own environment takes."""
    try:
        most = os.sysconf("SC_ARG_MAX")
    except (ValueError, OSError):
        most = -1
    if most <= 0:
        most = _MAX_TOTAL
    return min(most, _MAX_TOTAL), size_of(os.environ)


def _check_named(variables: ParameterVariables, named: Collection[str]) -> None:
    """Raise ValueTooLarge when the script reads a variable that was left out and does not use its file."""
    missed = [name for name in variables.left_out if name in named and f"{name}_FILE" not in named]
    if missed:
        raise ValueTooLarge("; ".join(_why_missed(name, variables) for name in missed[:_MAX_NAMES]))


def _why_missed(name: str, variables: ParameterVariables) -> str:
    size = variables.left_out[name]
    if size > MAX_VARIABLE_BYTES:
        why = f"its value of {size:,} bytes is too large for an environment variable (at most 32 KiB)"
    elif b"\0" in variables.files.get(f"{name}_FILE", b""):
        why = "its value has a NUL character, which no environment variable can have"
    else:
        why = f"its value of {size:,} bytes was left out, as all variables together would take more than 256 KiB"
    where = (
        f"the file that ${name}_FILE names" if f"{name}_FILE" in variables.files else "$DAGRUN_PARAMS_FILE"
    )
    return f"the script reads ${name}, but {why}: read it from {where}"


def _left_out(variables: ParameterVariables, named: Collection[str]) -> Iterator[str]:
    """The lines of the log about variables that the script does not get, and where their values are."""
    alone = [name for name in variables.left_out if f"{name}_FILE" in variables.files]
    others = [name for name in variables.left_out if f"{name}_FILE" not in variables.files]
    where = "DAGRUN_PARAM_<NAME>_FILE names a file of each" if len(alone) > 1 else "${}_FILE names a file"
    parts = [f"{_joined(alone)} ({where.format(*alone)})"] if alone else []
    parts += [f"{_joined(others)} (read $DAGRUN_PARAMS_FILE)"] if others else []
    if parts:
        yield f"not set, as the environment cannot hold it: {', '.join(parts)}"
    for name in sorted(variables.ambiguous.keys() & named):
        names = " and ".join(map(repr, variables.ambiguous[name][:_MAX_NAMES]))
        yield f"${name} is not set, as both {names} would be in it; read $DAGRUN_PARAMS_FILE"


def _joined(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES:,} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(f"${name}" for name in names[:_MAX_NAMES]) + more


def _data(paths: AttemptPaths, outputs: Outputs) -> Mapping[str, Json]:
    if isinstance(outputs, Blob):
        return load(Path(paths.outputs).parent, outputs)
    return outputs


def _command_line(paths: AttemptPaths, body: Command) -> list[str]:
    """The command line that runs the script, with its text as an argument or, if it is long, in a file."""
    if body.argv is not None and not _needs_file(body):
        size = len(body.script) if body.script.isascii() else len(encoding.to_bytes(body.script))
        if size > _MAX_ARGUMENT:
            raise ValueTooLarge(
                f"the script is {size:,} bytes long, and '{shlex.join(body.argv)}' takes it as one argument, for "
                f"which the system accepts at most {_MAX_ARGUMENT:,} bytes: leave out '{body.argv[-1]}', then the "
                "script is passed as a file"
            )
        return [*body.argv, body.script]
    assert body.file_argv is not None
    path = f"{paths.scratch}.script{body.suffix}"
    Path(path).parent.mkdir(exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o700)
    with open(fd, "wb") as file:
        file.write(encoding.to_bytes(body.script))
    named = encoding.from_system(path)
    return [word.replace(SCRIPT_FILE, named) for word in body.file_argv]


def _needs_file(body: Command) -> bool:
    """Whether the interpreter gets the script as a file."""
    if body.argv is None or body.file_argv is None:
        return body.argv is None
    return len(body.script) > _MAX_TEXT or (
        4 * len(body.script) > _MAX_TEXT and len(encoding.to_bytes(body.script)) > _MAX_TEXT
    )


def clean(work: Work, paths: AttemptPaths, *, has_outputs: bool = True) -> None:
    """Remove the files that only the attempt itself needed, whatever the body has replaced them with.

    `has_outputs`: there may be a file with outputs.
    """
    if has_outputs:
        _remove(output_file(paths))
    if isinstance(work.body, Command) and _needs_file(work.body):
        _remove(f"{paths.scratch}.script{work.body.suffix}")
    if work.params or work.upstream:
        _remove(f"{paths.scratch}.params.json")
        scratch = Path(paths.scratch)
        for path in scratch.parent.glob(f"{glob.escape(scratch.name)}.param[0-9]*"):
            _remove(str(path))


def _remove(path: str) -> None:
    try:
        os.unlink(path)  # noqa: PTH108 - called for every task
    except FileNotFoundError:
        pass
    except OSError:  # it is a directory now
        shutil.rmtree(path, ignore_errors=True)
