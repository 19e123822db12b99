"""Commands about documents: validate, workflows, schema."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from dagrun.cli import output
from dagrun.cli.completion_candidates import complete_dag
from dagrun.cli.options import DagOption, Form, Output, Workflows, setting_flags
from dagrun.value import asdict, replace

if TYPE_CHECKING:
    from pathlib import Path

    from dagrun.app.documents import Documents, FileReport


def validate(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="Documents or files of schedules, by path or name.  [default: all of the project]",
            autocompletion=complete_dag,
        ),
    ] = None,
    dag: DagOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")] = False,
    workflows: Workflows = None,
    form: Output = Form.TEXT,
) -> int:
    """Check documents and schedules, and report every error.

    Every message has the file, the line and the column. Modules that register workflows are imported, in another process,
    if a document calls workflows.

    Examples:
      dagrun validate
      dagrun validate etl.yaml --strict

    Exit codes:
      0  no errors
      2  at least one error (with --strict, also a warning)

    Environment:
      DAGRUN_DAGS_DIR        directory of documents (default: configs/dags)
      DAGRUN_SCHEDULES_DIR   directory of schedules (default: configs/schedules)
    """
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.documents.yaml import render
    from dagrun.errors import UsageError

    named = [*(files or []), *([dag] if dag else [])]
    with wiring.documents(settings.load(flags=setting_flags(workflows))) as documents:
        found = [_found(documents, name) for name in named] or documents.of_project()
        if not found:
            chosen = documents.settings
            where = f"{chosen.dags_dir} or {chosen.schedules_dir}"
            raise UsageError(f"there are no documents in {where}", hint="give one or more FILEs")
        reports = _reports(documents, found)
        of_project = documents.report_of_project_hooks()
    if of_project is not None and of_project.findings:
        reports.append(of_project)
    if strict:
        reports = [report.strict() for report in reports]
    if form is Form.JSON:
        shapes = [
            {
                "path": report.path,
                "dag": report.dag.name if report.dag else None,
                "errors": [output.finding_json(finding) for finding in report.errors],
                "warnings": [output.finding_json(finding) for finding in report.warnings],
                **({} if report.schedules is None else {"schedules": list(report.schedules)}),
            }
            for report in reports
        ]
        output.print_json({"valid": not any(report.errors for report in reports), "files": shapes})
        return 2 if any(report.errors for report in reports) else 0
    for report in reports:
        for finding in report.findings:
            print(_coloured(render(finding, report.source), finding.level))
        if report.dag and not report.errors:
            count = len(report.dag.tasks)
            print(
                f"{report.path}: {output.paint('valid', 'success')} ({report.dag.name}, {count} task{'s'[: count != 1]})"
            )
        if report.schedules is not None and not report.errors:
            count = len(report.schedules)
            print(f"{report.path}: {output.paint('valid', 'success')} ({count} schedule{'s'[: count != 1]})")
    errors = sum(len(report.errors) for report in reports)
    if errors:
        sys.stdout.flush()
        output.say(
            f"{errors} error{'s'[: errors != 1]} in {sum(bool(report.errors) for report in reports)} of {len(reports)} file{'s'[: len(reports) != 1]}"
        )
    return 2 if errors else 0


def _found(documents: Documents, name: str) -> tuple[Path, str]:
    """The path and the displayed path of a document. A directory is reported as an error later, so that other files are checked."""
    from pathlib import Path

    from dagrun.errors import NotFoundError

    try:
        return documents.find(name)
    except NotFoundError:
        if not Path(name).is_dir():
            raise
        return Path(name), name


def _reports(documents: Documents, found: Sequence[tuple[Path, str]]) -> list[FileReport]:
    """A report for each file, whether it contains a document or schedules; and for wrong documents that their tasks run."""
    from pathlib import Path

    schedules = [(path, shown) for path, shown in found if path.is_file() and documents.holds_schedules(path)]
    reports = _schedule_reports(documents, schedules) if schedules else {}
    named = {path.resolve() for path, _ in found}
    every: list[FileReport] = []
    for path, shown in found:
        if path in reports:
            every.append(reports[path])
            continue
        own, *others = documents.reports(path, shown, may_write=True)
        every.append(own)
        for other in others:
            if other.errors and (where := Path(other.path).resolve()) not in named:
                named.add(where)
                every.append(other)
    return every


def _schedule_reports(documents: Documents, found: Sequence[tuple[Path, str]]) -> dict[Path, FileReport]:
    """Reports for files of schedules. Those of the project are checked together with all others there."""
    from pathlib import Path

    from dagrun.app.documents import FileReport
    from dagrun.documents.yaml import Source
    from dagrun.scheduling.schedule_files import ScheduleFiles
    from dagrun.scheduling.schedule_queries import CheckedFiles

    reports = {}
    for directory in dict.fromkeys(path.absolute().parent for path, _ in found):
        mine = {path: shown for path, shown in found if path.absolute().parent == directory}
        only = None if documents.is_schedules_directory(directory) else {path.name for path in mine}
        shown_directory = str(Path(next(iter(mine.values()))).parent)
        files = ScheduleFiles(directory, shown_directory, only=only)
        loaded = CheckedFiles(files, documents.dag_at_root).load()
        for path, shown in mine.items():
            name = f"{shown_directory}/{path.name}"
            findings = [(each, text) for each, text in loaded.findings if each.place.path == name]
            source = next((text for _, text in findings if isinstance(text, Source)), None)
            origins = [(one.id, one.origin.source.path) for one in loaded.schedules if one.origin is not None]
            reports[path] = FileReport(
                shown, source, [replace(each, place=replace(each.place, path=shown)) for each, _ in findings],
                schedules=[schedule_id for schedule_id, written in origins if written == name],
            )  # fmt: skip
    return reports


def _coloured(text: str, level: str) -> str:
    return text.replace(f": {level}: ", f": {output.paint(level, level)}: ", 1)


def workflows(workflows: Workflows = None, form: Output = Form.TEXT) -> int:
    """List the registered workflows and their parameters.

    Workflows are Python functions with the decorator `@workflow`. Their modules are imported in another process.

    Examples:
      dagrun workflows
      dagrun workflows --workflows my_flows.py

    Exit codes:
      0  all modules were imported
      2  a module that the settings list could not be imported
    """
    from dagrun import settings
    from dagrun.app import wiring

    with wiring.service(settings.load(flags=setting_flags(workflows))) as service:
        registry = service.workflows()
    found = sorted(registry.workflows.values(), key=lambda workflow: workflow.name)
    if form is Form.JSON:
        output.print_json(
            {
                "workflows": [workflow.to_json() for workflow in found],
                "failures": [
                    {"origin": str(failure.origin), "error": failure.error} for failure in registry.failures
                ],
            }
        )
    else:
        for workflow in found:
            parameters = [
                f"{p.name}{': ' + p.annotation if p.annotation else ''}{' = ' + p.default if p.default else ''}"
                for p in workflow.parameters
            ]
            print(
                output.paint(output.visible(workflow.name), "bold")
                + output.visible(f"({', '.join([*parameters, *['...'] * workflow.takes_rest])})")
            )
            first, _, _ = workflow.doc.partition("\n\n")
            if first:
                print(output.visible(f"    {' '.join(first.split())}"))
            print(output.paint(output.visible(f"    from {workflow.origin}"), "dim"))
        if not found:
            print("No workflows are registered.")
    for failure in registry.failures:
        output.say(
            f"{output.paint('Error:', 'error', sys.stderr)} cannot read workflows from "
            + output.visible(f"{failure.origin}: {failure.error}")
        )
    return 2 if any(failure.origin.listed for failure in registry.failures) else 0


def schema(
    dialect: Annotated[
        str | None, typer.Argument(metavar="DIALECT", help="The dialect.  [default: list the dialects]")
    ] = None,
    form: Output = Form.TEXT,
) -> int:
    """Print the JSON Schema of a dialect, for editors.

    Example:
      dagrun schema native > dagrun.schema.json

    Exit codes:
      0  the schema was printed
      2  there is no such dialect
    """
    import json

    from dagrun.documents.dialects import schema as schemas

    if dialect is not None:
        print(json.dumps(schemas.schema(dialect), indent=None if form is Form.JSON else 2))
    elif form is Form.JSON:
        output.print_json({"dialects": [asdict(each) for each in schemas.dialects()]})
    else:
        output.table(
            ("DIALECT", "KEY", "SCHEMA"),
            (
                (each.name, " or ".join(f"{key}:" for key in each.keys), f"dagrun schema {each.name}")
                for each in schemas.dialects()
            ),
        )
    return 0
