"""Command lines that nobody would write, drawn at random from the real commands, their options and odd values."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from dagrun.cli.app import app_for

#: Options that wait for something that never comes, or leave a process behind.
_ENDLESS = {"--serve", "--follow", "-f", "--detach", "--watch"}
#: Arguments below the current directory only: nothing may be written elsewhere.
_NEAR = [
    "new",
    "new/deep",
    ".",
    "dag.yaml",
    "dag.yaml/x",
    "\udcff",
    "\x1b[2J",
    "n" * 300,
    "ü",
    "",
    " ",
    "loop",
    "gone",
]
_ODD = [
    *_NEAR, "..", "/", "~", "~nobody/x", "-", "--", "-1", "0", "1", "7", "9" * 400, "1e309", "NaN", "true", "null",
    "[1", "{", "'", '"', "a b", "a=b", "=", "x=", "=x", "v=1", "v=[1", "v=\udcff", "v=\x1b[2J", "v=" + "[" * 2000,
    "${{ x }}", "${{", "%s", "{0}", "\\", "\u202egnp.exe", "\U0001f600", "latest", "lates", "dag", "broken.yaml",
    "done", "a", "b", "b[0]", "b[", "a,b", "json", "text", "yaml", "mermaid", "success", "7d", "1e400d", "nand",
    "0001-01-01T00:00", "9999-12-31T23:59+23:59", "2025-10-03T10:00", "-inf", "task_ok", "configs", "none", "x" * 5000,
    "/dev/null", "/dev/full", "/proc/self/mem", "/etc/passwd/x", "native", "bash", "os", "nothing.py",
]  # fmt: skip
#: What makes sense, by the name of the parameter: else hardly a command would get beyond its options.
_SENSIBLE = {
    "run": ["latest", "done", "don"], "file": ["dag.yaml", "dag", "broken.yaml"], "dag": ["dag.yaml", "dag"],
    "files": ["dag.yaml", "broken.yaml"], "task": ["a", "b", "b[1]", "b[n=1]"], "only": ["a", "b"], "start": ["b"],
    "until": ["a", "b"], "param": ["v=1", "v=\udcff", "v=ü", "v=\x1b[2J"], "limit": ["0", "1", "9" * 400, "99999999999"],
    "offset": ["0", "9" * 400], "count": ["0", "3", "9" * 400], "max_parallel": ["1", "9" * 400],
    "since": ["7d", "2025-10-03T10:00", "1e400d", "nand", "9" * 400 + "d"], "status": ["success"], "shell": ["bash"],
    "form": ["json", "text"], "graph": ["dot", "mermaid", "json"], "on_error": ["continue"], "event": ["task_ok"],
    "reason": ["\x1b[2J", "\udcff", "x" * 5000], "dialect": ["native"], "tenant": ["acme", "\udcff"],
    "run_id": ["new1", "done", "n" * 300, "new" + "2" * 100], "at": ["2026-11-20T09:00Z", "0001-01-01T00:00"],
    "directory": ["configs", "new"],
}  # fmt: skip


def command_lines(seed: int, count: int) -> Iterator[list[str]]:
    """So many command lines, the same ones for the same seed."""
    chance = random.Random(seed)
    commands: dict[str, Any] = get_command(app_for(["--"])).commands  # type: ignore[attr-defined]
    for _ in range(count):
        name = chance.choice([*commands, *commands, chance.choice(_ODD)])
        command = commands.get(name)
        words = [name]
        pool = _NEAR if name == "init" else _ODD
        for param in command.params if command else ():
            flags = [flag for flag in (*param.opts, *param.secondary_opts) if flag.startswith("-")]
            if set(flags) & _ENDLESS or chance.random() > (0.15 if flags else 0.8):
                continue
            sensible = _SENSIBLE.get(param.name, pool) if chance.random() < 0.75 else pool
            value = [] if getattr(param, "is_flag", False) else [chance.choice(sensible)]
            if flags and chance.random() < 0.2 and value:
                words.append(f"{chance.choice(flags)}={value[0]}")
            else:
                words += [chance.choice(flags), *value] if flags else value
        if chance.random() < 0.05:
            words.insert(chance.randrange(1, len(words) + 1), chance.choice(pool))
        if chance.random() < 0.2:
            words += ["-o", "json"]
        if name != "init" and chance.random() < 0.05:
            words = ["-C", chance.choice(_NEAR), *words]
        if not set(words) & _ENDLESS and not any(word.split("=")[0] in _ENDLESS for word in words):
            yield words
