"""Values that a run gets from outside its document: parameters, secrets, dotenv files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dagrun.core.model import Dag
from dagrun.documents import parameters
from dagrun.documents.dialects.dialect import ParsedDocument
from dagrun.documents.yaml import DocumentError, Finding, Source
from dagrun.errors import UsageError
from dagrun.masking import SHORTEST, Masker
from dagrun.process import encoding
from dagrun.settings import Settings
from dagrun.value import Value, field

if TYPE_CHECKING:
    from dagrun.core.work import Json
    from dagrun.runtime.prepared_run import PreparedRun


class GivenParams(Value, kw_only=True):
    """Parameter values as a user gave them: `name=value` texts, and a YAML file of them. True when there are any."""

    params: Sequence[str] = ()
    params_file: Path | None = None
    #: Values that a scheduler kept, for those that the record of a run lacks because they hold a secret.
    kept: Mapping[str, Json] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.params) or self.params_file is not None


class RunInputs:
    """Reads them. No error message contains a secret."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def resolved(self, dag: Dag, values: Mapping[str, Json]) -> dict[str, Json]:
        """The values of a DAG's parameters, defaults included. Raises UsageError that lists every problem."""
        return parameters.resolve(dag, self.checked(dag, values, GivenParams()))

    def given(self, dag: Dag, given: GivenParams) -> dict[str, Json]:
        """Given values, converted to the types of the parameters. Raises UsageError that lists every problem."""
        values, problems = self._read(dag, given)
        if problems:
            raise self._error(dag, problems)
        return values

    def checked(self, dag: Dag, values: Mapping[str, Json], given: GivenParams) -> dict[str, Json]:
        """`values` and, with priority, given ones. Raises UsageError that lists every problem."""
        read, problems = self._read(dag, given)
        found = {**values, **read}
        problems += parameters.problems(dag, found)
        if problems:
            raise self._error(dag, problems)
        return found

    def _read(self, dag: Dag, given: GivenParams) -> tuple[dict[str, Json], list[str]]:
        """The values, and the problems with them; `name=value` overrides the file."""
        values = self._params_file(dag, given.params_file) if given.params_file else {}
        flags, problems = parameters.from_flags(
            dag.params, [encoding.from_command_line(text) for text in given.params]
        )
        return values | flags, problems

    def _error(self, dag: Dag, problems: Sequence[str]) -> UsageError:
        return UsageError(self.masker(dag).text("\n".join(problems)))

    def _params_file(self, dag: Dag, path: Path) -> dict[str, Json]:
        try:
            return parameters.from_file(dag, Source.read(path))
        except DocumentError as error:
            if not dag.secrets:
                raise
            first = error.findings[0]  # without the line of the file: it may contain a secret
            raise self._error(dag, [f"{first.place}: {first.message}"]) from None

    def secrets(self, dag: Dag) -> Mapping[str, str]:
        """The values of the declared secrets, from the environment or `.env`. Raises UsageError that lists the unusable ones."""
        values = self._known_secrets(dag)
        problems = [
            f"the secret '{name}' {problem}"
            for name, value in values.items()
            if (problem := _unusable(value))
        ]
        if problems:
            raise UsageError("\n".join(problems))
        return values

    def masker(self, dag: Dag) -> Masker:
        """Removes from messages those of a DAG's secrets that have a usable value here."""
        return Masker(value for value in self._known_secrets(dag).values() if not _unusable(value))

    def _known_secrets(self, dag: Dag) -> Mapping[str, str]:
        """The values of the declared secrets, usable or not; empty for one that is not set."""
        if not dag.secrets:
            return {}
        own: Mapping[str, str] = {}
        if self._settings.path(".env").exists():
            own, findings = self._variables(".env")
            # Lines that only other tools understand are no problem, as long as the file is text.
            if unreadable := [each for each in findings if each.code != "invalid-variable"]:
                raise UsageError("\n".join(f"{each.place}: {each.message}" for each in unreadable))
        known = {**own, **encoding.environment()}
        return {name: known.get(name) or "" for name in dag.secrets}

    def dotenv(self, dag: Dag) -> Mapping[str, Mapping[str, str]]:
        """The variables of each dotenv file of a DAG, by path. Raises UsageError that lists every problem."""
        from dagrun.documents import dotenv

        values: dict[str, Mapping[str, str]] = {}
        problems: list[Finding] = []
        for path in dotenv.paths(dag):
            values[path], found = self._variables(path)
            problems += found
        if problems:
            raise UsageError("\n".join(f"{each.place}: {each.message}" for each in problems))
        return values

    def check_dotenv(self, parsed: ParsedDocument) -> Iterator[Finding]:
        """A finding for each problem with a dotenv file, at its entry in the document."""
        dag, locations = parsed.dag, parsed.locations
        if locations is None:
            return
        entries = [((*locations.document("dotenv"), n), path) for n, path in enumerate(dag.dotenv)]
        for i, task in enumerate(dag.tasks):
            if task.dotenv:
                entries += [((*locations.option(i, "dotenv"), n), path) for n, path in enumerate(task.dotenv)]
        if (hooks := parsed.hook_locations) is not None:
            for i, hook in enumerate(dag.hooks):
                entries += [((*hooks.task(i), "dotenv", n), path) for n, path in enumerate(hook.task.dotenv)]
        read: dict[str, Sequence[Finding]] = {}
        for at, path in entries:
            if path not in read:
                read[path] = self._variables(path)[1]
            for problem in read[path]:
                where = "" if problem.code == "missing-file" else f", line {problem.place.line}"
                message = f"{path}{where}: {problem.message}"
                yield Finding(parsed.source.place(at), message, problem.code, problem.suggestion)

    def _variables(self, path: str) -> tuple[Mapping[str, str], Sequence[Finding]]:
        """The variables of one dotenv file, and the problems with it."""
        from dagrun.documents import dotenv

        try:
            read = dotenv.read(self._settings.path(path), path)
        except DocumentError as error:
            return {}, error.findings
        return read.values, read.findings


def evaluate_defaults(prepared: PreparedRun, run_id: str, now: float) -> PreparedRun:
    """The run with the values of parameter defaults that are expressions. Raises UsageError."""
    from dagrun.runtime.default_params import with_defaults  # the engine's part, which only a run needs

    try:
        return with_defaults(prepared, run_id, now)
    except UsageError as error:
        raise UsageError(prepared.masker.text(error.message)) from None


def _unusable(secret: str) -> str:
    """Why a secret cannot be used; empty when it can."""
    if not secret:
        return "is not set: export it, or put it into .env"
    if len(secret) < SHORTEST:
        return f"has fewer than {SHORTEST} characters, too few to be masked"
    return "consists of white space only, which cannot be masked" if secret.isspace() else ""
