"""Settings, with the source of each value. Priority: flag, environment variable, file, default."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from dagrun.durability import Durability
from dagrun.errors import RefusedError, UsageError, did_you_mean, user
from dagrun.roles import Role, role_of

MIB = 1024 * 1024
#: The variable that lists directories whose projects may belong to other users, `*` for all.
SAFE_DIRECTORIES = "DAGRUN_SAFE_DIRECTORIES"


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("must be a text that is not empty")
    return value


def _text_list(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError("must be a list of texts")
    return tuple(part.strip() for part in parts if part.strip())


def _number(kind: type[int] | type[float], least: float) -> Callable[[Any], Any]:
    def parse(value: Any) -> Any:
        what = "a whole number" if kind is int else "a number"
        if isinstance(value, bool) or (kind is int and isinstance(value, float)):
            raise ValueError(f"must be {what}")
        try:
            number = kind(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"must be {what}") from None
        if number < least or (kind is float and not math.isfinite(number)):
            raise ValueError(f"must be {what} of at least {least:g}")
        return number

    return parse


def _durability(value: Any) -> Durability:
    try:
        return Durability(value)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(Durability)}") from None


def _role(value: Any) -> Role:
    try:
        return role_of(str(value))
    except ValueError as error:
        raise ValueError(f"must be a role: {error}") from None


def _positive(value: Any) -> float:
    number: float = _number(float, 0)(value)
    if number == 0:
        raise ValueError("must be more than 0")
    return number


def _setting(default: Any, variable: str, parse: Callable[[Any], Any]) -> Any:
    return field(default=default, metadata={"variable": variable, "parse": parse})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. Paths are as the user wrote them; `path` makes them absolute."""

    #: The project root, to which relative paths refer.
    root: Path
    events_path: str = _setting("logs/orchestrator_events.jsonl", "ORCH_EVENTS_PATH", _text)
    state_path: str = _setting("logs/orchestrator_state.jsonl", "STATE_STORE_PATH", _text)
    runs_dir: str = _setting("logs/runs", "DAGRUN_RUNS_DIR", _text)
    dags_dir: str = _setting("configs/dags", "DAGRUN_DAGS_DIR", _text)
    schedules_dir: str = _setting("configs/schedules", "DAGRUN_SCHEDULES_DIR", _text)
    #: Modules, or `.py` files, that register workflows.
    workflows: tuple[str, ...] = _setting((), "DAGRUN_WORKFLOWS", _text_list)
    #: The delay before the first retry, in milliseconds.
    retry_base_ms: float = _setting(400, "RETRY_BASE_MS", _number(float, 0))
    #: The maximum random deviation of a delay, as a fraction of it.
    retry_jitter_pct: float = _setting(0.2, "RETRY_JITTER_PCT", _number(float, 0))
    #: The time between SIGTERM and SIGKILL for a process, in milliseconds.
    kill_grace_ms: float = _setting(5000, "DAGRUN_KILL_GRACE_MS", _number(float, 0))
    #: The time limit for the import of one module that registers workflows, in milliseconds.
    import_patience_ms: float = _setting(30_000, "DAGRUN_IMPORT_PATIENCE_MS", _number(float, 1))
    #: The time after which a cancel counts as done, even if something still runs, in milliseconds.
    cancel_timeout_ms: float = _setting(10_000, "DAGRUN_CANCEL_TIMEOUT_MS", _number(float, 0))
    #: What a power loss may lose: `os` (recent events), `batch` (one second), `fsync` (nothing).
    durability: Durability = _setting(Durability.OS, "DAGRUN_DURABILITY", _durability)  # noqa: RUF009
    #: The time between two checks of a scheduler for due schedules, in milliseconds.
    sched_tick_ms: float = _setting(1000, "SCHED_TICK_MS", _number(float, 1))
    #: The maximum number of concurrent runs of one scheduler.
    sched_max_parallel: int = _setting(3, "SCHED_MAX_PARALLEL", _number(int, 1))
    #: The time that runs have to end after a scheduler was asked to stop, in milliseconds.
    sched_grace_ms: float = _setting(30_000, "DAGRUN_SCHED_GRACE_MS", _number(float, 0))
    #: The size in bytes at which files shared by all runs are renamed to `<name>.1`; 0: never.
    rotate_bytes: int = _setting(100 * MIB, "DAGRUN_ROTATE_BYTES", _number(int, 0))
    #: How many renamed files are kept.
    rotate_keep: int = _setting(5, "DAGRUN_ROTATE_KEEP", _number(int, 1))
    #: The maximum size of the outputs of one task, in bytes.
    max_output_bytes: int = _setting(64 * MIB, "DAGRUN_MAX_OUTPUT_BYTES", _number(int, 1))
    #: The maximum size of a document, in bytes.
    max_document_bytes: int = _setting(32 * MIB, "DAGRUN_MAX_DOCUMENT_BYTES", _number(int, 1))
    #: The role of the user who answers approvals: Viewer, Operator or Admin.
    user_rbac_role: Role = _setting(Role.VIEWER, "USER_RBAC_ROLE", _role)  # noqa: RUF009
    #: How long an approval waits for a decision if it does not say so, in hours.
    approval_expires_h: float = _setting(72, "APPROVAL_EXPIRES_H", _positive)
    #: The maximum size of the cache of checked documents, in bytes; 0: no cache.
    document_cache_bytes: int = _setting(64 * MIB, "DAGRUN_DOCUMENT_CACHE_BYTES", _number(int, 0))
    #: Hooks for every run of the project, as they are written in the file; `documents.project_hooks` reads them.
    hooks: Mapping[str, Any] = field(default_factory=dict)
    #: The file that has them.
    hooks_path: Path | None = None
    #: The source of each value: "flag", the name of an environment variable, a file, or "default".
    sources: Mapping[str, str] = field(default_factory=dict)

    def path(self, text: str | Path) -> Path:
        """An absolute path, from one that is relative to the project root or absolute."""
        path = Path(text)
        with contextlib.suppress(RuntimeError):  # `~nobody/x` is kept as it is, as in a shell
            path = path.expanduser()
        return self.root / path


def load(
    environment: Mapping[str, str] | None = None,
    start: Path | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings for a command in the directory `start`, by default the current one.

    Raises UsageError that lists every problem, and RefusedError for a project of another user.
    """
    environment = os.environ if environment is None else environment
    root, name, table = _project(_here() if start is None else start, environment.get(SAFE_DIRECTORIES, ""))
    flags = flags or {}
    parts: list[Field[Any]] = [part for part in fields(Settings) if "variable" in part.metadata]
    problems = [
        f"{root / name}: unknown setting '{key}' {hint}".rstrip()
        for key in table
        if key != "hooks" and key not in {part.name for part in parts}
        for hint in [did_you_mean(key, [part.name for part in parts])]
    ]
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for part in parts:
        variable = part.metadata["variable"]
        if part.name in flags:
            raw, source = flags[part.name], "flag"
        elif environment.get(variable):
            raw, source = environment[variable], variable
        elif part.name in table:
            raw, source = table[part.name], str(root / name)
        else:
            sources[part.name] = "default"
            continue
        try:
            values[part.name] = part.metadata["parse"](raw)
            sources[part.name] = source
        except ValueError as error:
            problems.append(f"{source}: '{part.name}' {error}")
    hooks = table.get("hooks", {})
    if not isinstance(hooks, dict):
        problems.append(f"{root / name}: 'hooks' must be a table")
    if problems:
        raise UsageError("\n".join(problems))
    return Settings(
        root=root, sources=sources, hooks=hooks, hooks_path=root / name if hooks else None, **values
    )


def _here() -> Path:
    """The current directory."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError(
            "the current directory does not exist any more", hint="change to another one, or give -C DIR"
        ) from None
    except OSError as error:
        raise UsageError(f"the current directory cannot be used: {error.strerror}") from None


def _project(start: Path, safe: str) -> tuple[Path, str, Mapping[str, Any]]:
    """The nearest directory upward with `dagrun.toml` or `[tool.dagrun]`, that file's name, and its settings.

    Such a file lists code to import, so a file of another user is refused.
    """
    for directory in (start, *start.parents):
        path = directory / "dagrun.toml"
        if os.path.isfile(path):  # noqa: PTH113 - never raises
            _refuse_foreign(path, safe)
            return directory, path.name, _toml(path)
        path = directory / "pyproject.toml"
        if os.path.isfile(path):  # noqa: PTH113
            try:
                tool = _toml(path).get("tool")
            except UsageError:
                if _stranger(path) is not None:
                    continue  # it cannot be the project of this user
                raise
            table = tool.get("dagrun") if isinstance(tool, dict) else None
            if table is None:
                continue
            _refuse_foreign(path, safe)
            if not isinstance(table, dict):
                raise UsageError(f"{path}: 'tool.dagrun' must be a table")
            return directory, path.name, table
    return start, "dagrun.toml", {}


def _refuse_foreign(path: Path, safe: str) -> None:
    """Raises RefusedError for a file of another user, unless its directory or a parent of it is in the list `safe`."""
    stranger = _stranger(path)
    if stranger is None:
        return
    allowed = [each for each in safe.split(os.pathsep) if each]
    real = Path(os.path.realpath(path.parent))
    if "*" in allowed or any(real.is_relative_to(os.path.realpath(each)) for each in allowed):
        return
    raise RefusedError(
        f"{path} belongs to {user(stranger)}: the code that it lists would run as you",
        hint=f"if you trust that project: export {SAFE_DIRECTORIES}={path.parent}",
    )


def _stranger(path: Path) -> int | None:
    """The owner of a file, or of a link to it, if neither this user nor root. With `sudo`, also the calling user is allowed."""
    ours = {0, os.geteuid()}
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        ours.add(int(os.environ["SUDO_UID"]))
    owners = (path.lstat().st_uid, path.stat().st_uid)
    return next((owner for owner in owners if owner not in ours), None)


def _toml(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
