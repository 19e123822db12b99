"""Make .venv complete: the slow half of _setup.sh, which calls it when something is missing or has changed.

`.venv/dagrun-ready` is written last and removed first, so an environment that has it is complete, whenever a set-up
was killed. One without it is made anew from nothing, because pip takes a half-installed package for an installed one.
`.venv/dagrun-made` says that the folder is ours to delete. Only the standard library is at hand here.
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
    """Set-up cannot go on; the text is the whole sentence."""


def main(level: str, wanted: str) -> None:
    with open(".venv.lock", "a") as lock:
        # Inherited by what we start: should we be killed, a pip that lives on keeps the next set-up waiting.
        os.set_inheritable(lock.fileno(), True)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up of .venv is under way, waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        complete(level, wanted)


def complete(level: str, wanted: str) -> None:
    had, made_from = read_ready()
    usable = had is not None and works(PYTHON)
    if usable and made_from == wanted and had in (level, "dev"):
        return  # someone else did it while we waited
    if had == "dev":
        level = "dev"  # an update takes no tools away

    READY.unlink(missing_ok=True)
    if usable and made_from == wanted:
        say("adding the development tools to .venv ...")
    elif usable:
        say("bringing .venv up to date ...")
    else:
        say("first run, setting up .venv (about a minute) ...")
        create()
    install(level)
    temporary = READY.with_suffix(".new")
    temporary.write_text(f"{level}\n{wanted}\n")
    temporary.replace(READY)


def read_ready() -> tuple[str | None, str]:
    """The level that the environment was made for, if it is complete, and what it was made from."""
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
            raise SetupError(
                ".venv was made by something else than this script; move it away, then try again."
            )
        # MADE goes last, so that a deletion which is cut short can be taken up again.
        for entry in VENV.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry != MADE:
                entry.unlink()
    VENV.mkdir(exist_ok=True)
    MADE.touch()
    # Should this be the Python of the very .venv that is made anew, its base is what will still be there.
    base = getattr(sys, "_base_executable", sys.executable)
    run("could not make a virtual environment", base, "-I", "-m", "venv", VENV)


def install(level: str) -> None:
    pip: list[str | Path] = [PYTHON, "-I", "-m", "pip", "install", "--progress-bar=off"]
    requirements = REQUIREMENTS[level]
    run(f"pip could not install {requirements}", *pip, "--require-hashes", "-r", requirements)
    run("pip could not install dagrun itself", *pip, "--no-deps", "--no-build-isolation", "-e", ".")
    # pip compiles what it copies, but not what an editable install points at; start-up is twice as fast with it.
    # An error in there is for whoever imports the file to see.
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
        raise SetupError(f"set-up failed: {failure}; its output is above, and the next run starts afresh.")


def environment() -> dict[str, str]:
    """Ours, without what would change how Python and pip behave in a virtual environment."""
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
        say("set-up interrupted; the next run starts afresh.")
        sys.exit(130)
