"""Completes .venv: the slow part of _setup.sh, which calls it when something is missing or has changed.

`.venv/dagrun-ready` is written last and deleted first, so an environment that has it is complete, even if a set-up
was killed. One without it is created from scratch, because pip takes a half-installed package for an installed one.
`.venv/dagrun-made` marks a folder that this script may delete. Only the standard library is available here.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

VENV = Path(".venv")
PYTHON = VENV / "bin" / "python"
MADE = VENV / "dagrun-made"
READY = VENV / "dagrun-ready"
REQUIREMENTS = {"run": "requirements.txt", "dev": "requirements-dev.txt"}


class SetupError(Exception):
    """The set-up failed; the text is the whole message."""


def main(level: str, wanted: str) -> None:
    with open(".venv.lock", "a") as lock:
        # Child processes inherit the lock: if this one is killed while pip runs, the next set-up waits for pip.
        os.set_inheritable(lock.fileno(), True)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up of .venv is running, waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        complete(level, wanted)


def complete(level: str, wanted: str) -> None:
    had, made_from = read_ready()
    usable = had is not None and works(PYTHON)
    if usable and made_from == wanted and had in (level, "dev"):
        return  # another process did it meanwhile
    if had == "dev":
        level = "dev"  # an update removes no tools

    READY.unlink(missing_ok=True)
    if usable and made_from == wanted:
        say("adding the development tools to .venv ...")
    elif usable:
        say("updating .venv ...")
    else:
        say("first run: creating .venv (about a minute) ...")
        create()
    install(level)
    temporary = READY.with_suffix(".new")
    temporary.write_text(f"{level}\n{wanted}\n")
    temporary.replace(READY)


def read_ready() -> tuple[str | None, str]:
    """The level of the environment, if it is complete, and what it was created from."""
    try:
        level, _, made_from = READY.read_text().partition("\n")
    except FileNotFoundError:
        return None, ""
    same_place = made_from.partition("\n")[0] == str(Path.cwd())
    return (level, made_from.removesuffix("\n")) if same_place else (None, "")


def works(python: Path) -> bool:
    try:
        return subprocess.run([python, "-I", "-c", ""], capture_output=True).returncode == 0
    except OSError:
        return False


def create() -> None:
    if VENV.is_symlink() or (VENV.exists() and any(VENV.iterdir())):
        if not MADE.exists():
            raise SetupError(".venv was not created by this script; move or delete it, then try again.")
        # MADE is deleted last, so that an interrupted deletion can be continued.
        for entry in VENV.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry != MADE:
                entry.unlink()
    VENV.mkdir(exist_ok=True)
    MADE.touch()
    # If this is the Python of the .venv that is recreated, its base interpreter will still exist.
    base = getattr(sys, "_base_executable", sys.executable)
    run("could not create a virtual environment", base, "-I", "-m", "venv", VENV)


def install(level: str) -> None:
    pip: list[str | Path] = [PYTHON, "-I", "-m", "pip", "install", "--progress-bar=off"]
    requirements = REQUIREMENTS[level]
    run(f"pip could not install {requirements}", *pip, "--require-hashes", "-r", requirements)
    run("pip could not install dagrun itself", *pip, "--no-deps", "--no-build-isolation", "-e", ".")
    # pip compiles the files that it copies, but not those of an editable install; bytecode makes start-up twice as fast.
    # A syntax error is reported when the file is imported.
    subprocess.run([PYTHON, "-I", "-m", "compileall", "-qq", "src"], env=environment())


def run(failure: str, *command: str | Path) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
        close_fds=False,
    )
    if done.returncode != 0:
        sys.stderr.buffer.write(done.stdout)
        raise SetupError(
            f"set-up failed: {failure}; see the output above. The next run starts again from scratch."
        )


def environment() -> dict[str, str]:
    """The environment without variables that change how Python and pip behave in a virtual environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    for name in ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_NO_COMPILE", "__PYVENV_LAUNCHER__"):
        kept.pop(name, None)
    return kept | {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PATH": os.pathsep.join([str((VENV / "bin").absolute()), os.environ.get("PATH", os.defpath)]),
    }


def say(text: str) -> None:
    print(f"dagrun: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2])
    except SetupError as error:
        say(str(error))
        sys.exit(1)
    except OSError as error:
        say(f"cannot set up .venv in {Path.cwd()}: {error.strerror or error} ({error.filename}).")
        sys.exit(1)
    except KeyboardInterrupt:
        say("set-up interrupted; the next run starts again from scratch.")
        sys.exit(130)
