"""A shell task's surroundings: its script, environment and files before it runs, its outputs after."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import shlex
import shutil
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dagrun import encoding
from dagrun.blobs import load, open_regular, write_regular
from dagrun.core.payloads import (
    MOST_IN_ENVIRONMENT,
    MOST_TOGETHER,
    Handed,
    handed,
    mentioned,
    merged_params,
    size_of,
)
from dagrun.core.work import SCRIPT_FILE, AttemptResult, Blob, Command, Json, Outputs, Work
from dagrun.executors.artifacts import set_aside
from dagrun.executors.calling import encode_outputs
from dagrun.executors.local import processes
from dagrun.executors.local.attempts import attempt_variables
from dagrun.executors.outputs import INLINE_BYTES, note, open_log, spool_path, store
from dagrun.masking import Masker
from dagrun.run_layout import AttemptPaths

_BLOCK = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)<<(\S+\r?)\Z")
_PAIR = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)=(.*)\Z", re.DOTALL)

#: Bytes of a script that is an argument, where it can be a file as well.
_LONGEST_TEXT = 32 * 1024
#: Bytes that Linux takes of one argument, or of a variable with its name; and of a command line with its environment,
#: whatever the limits say.
_MOST_IN_ARGUMENT = 128 * 1024 - 1
_MOST_ANYWHERE = 6 * 1024 * 1024
#: Bytes of a command line that are kept free for what is not counted here.
_SLACK = 16 * 1024
_MOST_NAMED = 3  # variables in one sentence


class BadSurroundings(ValueError):
    """The parameters cannot be handed to a script, or what it wrote is no set of outputs."""


class ValueTooLarge(BadSurroundings):
    """A script, or a value that it reads, is larger than the system lets it be; trying again would not help."""


@dataclass(frozen=True, slots=True)
class Spawn:
    """What a command is started with besides dagrun's own environment, as `encoding.to_bytes` expects it."""

    argv: list[str]
    environment: dict[str, str]


def prepared(work: Work, paths: AttemptPaths, body: Command) -> Spawn:
    """A command ready to be started: the files that it reads are there, and its log says what was left out.

    Raises BadSurroundings when it cannot be started so, OSError when a file cannot be written.
    """
    argv = _command_line(paths, body)
    return Spawn(argv, environment(work, paths, body.script, sum(map(len, argv))))


def environment(work: Work, paths: AttemptPaths, script: str = "", argument_bytes: int = 0) -> dict[str, str]:
    """What a script finds besides dagrun's own environment; writes the files that it names.

    Raises BadSurroundings when the script cannot have a value that it reads or the system does not take the
    environment, OSError when a file cannot be written.
    """
    attempt = work.attempt
    upstream = {task: _data(paths, outputs) for task, outputs in work.upstream.items()}
    params = merged_params(work.params, upstream)
    if attempt.number > 1:
        set_aside(paths.artifacts, f"{paths.scratch}.before")
    files = {"DAGRUN_OUTPUT": _output(paths), "DAGRUN_PARAMS_FILE": _params_file(paths, params)}
    about = {
        name: encoding.from_system(text) for name, text in (attempt_variables(attempt, paths) | files).items()
    }
    given = {**work.env, **work.own_env, **about}
    free = _check_env(given, argument_bytes)
    if not params:
        return given
    named = mentioned(script)
    room = max(0, min(MOST_TOGETHER - size_of(given), free // 2))
    hands = handed(work.params, upstream, named, room, len(paths.scratch) + 20)
    _check_named(hands, named)
    for sentence in _left_out(hands, named):
        note(paths.log, work.masks, sentence)
    given |= {name: data.decode() for name, data in hands.variables.items()}
    for number, (name, data) in enumerate(hands.files.items()):
        path = f"{paths.scratch}.param{number}"
        write_regular(path, data)
        given[name] = encoding.from_system(path)
    return given


def _output(paths: AttemptPaths) -> str:
    return f"{paths.scratch}.output"


def _params_file(paths: AttemptPaths, params: Mapping[str, Json]) -> str:
    """All parameters as JSON. Most tasks have none, and share one file that says so: making a file costs a good deal."""
    path = f"{paths.scratch}.params.json" if params else f"{paths.scratch.rpartition('/')[0]}/none.json"
    if params or not _is_intact(path):
        _remove(path)  # a body may have put something else there
        Path(path).parent.mkdir(exist_ok=True)
        write_regular(path, json.dumps(params).encode())
    return path


def _is_intact(path: str) -> bool:
    """Whether the file that says that there are no parameters is what it was; asked for every task."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == len("{}")


def _check_env(given: Mapping[str, str], argument_bytes: int) -> int:
    """How many bytes the system takes beside these variables. Raises BadSurroundings when it does not take them."""
    for name, value in given.items():
        if "\0" in value:
            raise BadSurroundings(
                f"the environment variable {name} holds a NUL character; no system takes one"
            )
        if (size := len(name) + len(encoding.to_bytes(value)) + 1) > _MOST_IN_ARGUMENT:
            raise ValueTooLarge(
                f"the environment variable {name} takes {size:,} bytes with its name; "
                f"the system takes at most {_MOST_IN_ARGUMENT:,}: {_INSTEAD}"
            )
    most, inherited = _system_limits()
    free = most - inherited - argument_bytes - size_of(given) - _SLACK
    if free < 0:
        largest = max(given, key=lambda name: len(given[name]))
        raise ValueTooLarge(
            f"the task's environment takes {size_of(given):,} bytes, besides {inherited:,} of dagrun's own; the system "
            f"takes at most {most:,} with the command line. The largest variable is {largest}: {_INSTEAD}"
        )
    return free


_INSTEAD = "put its value into a file, or into `params`, which a script can read from $DAGRUN_PARAMS_FILE"


@cache
def _system_limits() -> tuple[int, int]:
    """How many bytes the system takes for a command line with its environment, and what dagrun's own takes of that."""
    try:
        most = os.sysconf("SC_ARG_MAX")
    except (ValueError, OSError):
        most = -1
    if most <= 0:
        most = _MOST_ANYWHERE
    return min(most, _MOST_ANYWHERE), size_of(os.environ)


def _check_named(hands: Handed, named: Collection[str]) -> None:
    """Raise ValueTooLarge when the script reads a variable that was left out and does not look at its file."""
    missed = [name for name in hands.left_out if name in named and f"{name}_FILE" not in named]
    if missed:
        raise ValueTooLarge("; ".join(_why_missed(name, hands) for name in missed[:_MOST_NAMED]))


def _why_missed(name: str, hands: Handed) -> str:
    size = hands.left_out[name]
    if size > MOST_IN_ENVIRONMENT:
        why = f"its value of {size:,} bytes is too large for an environment variable (at most 32 KiB)"
    elif b"\0" in hands.files.get(f"{name}_FILE", b""):
        why = "its value holds a NUL character, which no environment variable takes"
    else:
        why = f"its value of {size:,} bytes was left out, as all variables together would take more than 256 KiB"
    where = f"the file that ${name}_FILE names" if f"{name}_FILE" in hands.files else "$DAGRUN_PARAMS_FILE"
    return f"the script reads ${name}, but {why}: read it from {where}"


def _left_out(hands: Handed, named: Collection[str]) -> Iterator[str]:
    """What the log says before the script does: which variables it does not find, and where their values are."""
    alone = [name for name in hands.left_out if f"{name}_FILE" in hands.files]
    others = [name for name in hands.left_out if f"{name}_FILE" not in hands.files]
    where = "DAGRUN_PARAM_<NAME>_FILE names a file of each" if len(alone) > 1 else "${}_FILE names a file"
    parts = [f"{_listed(alone)} ({where.format(*alone)})"] if alone else []
    parts += [f"{_listed(others)} (read $DAGRUN_PARAMS_FILE)"] if others else []
    if parts:
        yield f"not set, as the environment cannot hold it: {', '.join(parts)}"
    for name in sorted(hands.ambiguous.keys() & named):
        names = " and ".join(map(repr, hands.ambiguous[name][:_MOST_NAMED]))
        yield f"${name} is not set, as {names} would both be it; read $DAGRUN_PARAMS_FILE"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(f"${name}" for name in names[:_MOST_NAMED]) + more


def _data(paths: AttemptPaths, outputs: Outputs) -> Mapping[str, Json]:
    if isinstance(outputs, Blob):
        return load(Path(paths.outputs).parent, outputs)
    return outputs


def _command_line(paths: AttemptPaths, body: Command) -> list[str]:
    """The command line that runs the script: its text is an argument unless that would be long, else it is a file."""
    data = encoding.to_bytes(body.script)
    if body.argv is not None and (body.file_argv is None or len(data) <= _LONGEST_TEXT):
        if len(data) > _MOST_IN_ARGUMENT:
            raise ValueTooLarge(
                f"the script is {len(data):,} bytes long, and '{shlex.join(body.argv)}' takes it as one argument, of "
                f"which the system takes at most {_MOST_IN_ARGUMENT:,} bytes: leave out '{body.argv[-1]}', then the "
                "script comes as a file"
            )
        return [*body.argv, body.script]
    assert body.file_argv is not None
    path = f"{paths.scratch}.script{body.suffix}"
    Path(path).parent.mkdir(exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o700)
    with open(fd, "wb") as file:
        file.write(data)
    named = encoding.from_system(path)
    return [word.replace(SCRIPT_FILE, named) for word in body.file_argv]


def unspawned(error: str) -> AttemptResult:
    """How an attempt ended whose command could not be run at all."""
    return AttemptResult(duration=0.0, error=error, error_type="CommandNotRun", exit_code=127)


def ended(
    work: Work,
    paths: AttemptPaths,
    code: int,
    duration: float,
    killed_by: str | None,
    *,
    was_asked: bool = False,
) -> AttemptResult:
    """How a command ended: its exit code, and its outputs. What it wrote counts also when it failed.

    With `was_asked` it was asked to end: one that then chose to end well was ended all the same.

    A failed command keeps its own error when its outputs are none; its log says what is wrong with them.
    """
    error, error_type = None, None
    if killed_by is not None:
        error, error_type = f"killed by {killed_by}", "Killed"
    elif code:
        error, error_type = f"exit code {code}", "CommandFailed"
    elif was_asked:
        error, error_type = "ended by SIGTERM", "Terminated"
    outputs: Outputs = {}
    try:
        outputs = _collect(work, paths, Masker(work.masks))
    except Exception as problem:  # whatever a body leaves behind, its attempt ends
        why = _told(problem)
        if error is None:
            error, error_type = why, "BadOutput"
        else:
            with contextlib.suppress(OSError):
                note(paths.log, work.masks, f"its outputs are lost: {why}")
    return AttemptResult(
        duration=duration, outputs=outputs, error=error, error_type=error_type, exit_code=code
    )


def _told(problem: Exception) -> str:
    if isinstance(problem, RecursionError):
        return "$DAGRUN_OUTPUT holds JSON that is nested too deeply"
    return str(problem) or type(problem).__name__


def clean(work: Work, paths: AttemptPaths) -> None:
    """Remove what only the attempt itself needed, whatever the attempt has made of it."""
    _remove(_output(paths))
    if isinstance(work.body, Command):
        _remove(f"{paths.scratch}.script{work.body.suffix}")
    if work.params or work.upstream:
        _remove(f"{paths.scratch}.params.json")
        scratch = Path(paths.scratch)
        for path in scratch.parent.glob(f"{glob.escape(scratch.name)}.param[0-9]*"):
            _remove(str(path))


def _remove(path: str) -> None:
    try:
        os.unlink(path)  # noqa: PTH108 - asked for every task
    except FileNotFoundError:
        pass
    except OSError:  # it is a directory now
        shutil.rmtree(path, ignore_errors=True)


def note_left(work: Work, log: str, left: Sequence[tuple[int, str]]) -> None:
    """Add to the attempt's log what it left running, which was then ended."""
    line = Masker(work.masks).text(processes.ended_line(left))
    with contextlib.suppress(OSError), open(open_log(log), "wb") as file:
        file.write(line.encode("utf-8", "backslashreplace"))


def keep_spool(paths: AttemptPaths, worker: int) -> None:
    """What the last body of a worker that died had printed becomes its log, if it went to the worker's spool."""
    spool = Path(spool_path(paths.scratch.rpartition("/")[0], worker))
    with contextlib.suppress(OSError):
        if spool.stat().st_size:
            spool.rename(paths.log)


def _collect(work: Work, paths: AttemptPaths, masker: Masker) -> Outputs:
    path = Path(_output(paths))
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
        with open(open_regular(path, os.O_RDONLY), "rb") as file:
            outputs = masker.value(parse_outputs(file.read().decode(), masker.text))
    except UnicodeDecodeError as error:
        raise BadSurroundings(f"$DAGRUN_OUTPUT is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise BadSurroundings("$DAGRUN_OUTPUT holds JSON that is nested too deeply") from None
    data = encode_outputs(outputs)
    return outputs if len(data) <= INLINE_BYTES else store(Path(paths.outputs), data)


def parse_outputs(text: str, mask: Callable[[str], str] = str) -> dict[str, Json]:
    """Outputs as a script writes them: `key=value` lines, `key<<EOF` blocks, or one JSON object (CONTRACT 4).

    A line ends with a line feed alone: a carriage return before it belongs to the value.

    Raises BadSurroundings with the number of the line that is none of these, and its beginning; `mask` takes secrets
    out of it.
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
                f"line {number} of $DAGRUN_OUTPUT is neither key=value nor key<<END: {mask(line)[:80]!r}"
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
