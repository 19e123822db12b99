"""Documents that are linked, because tasks of one run another: each is read once, and all are checked together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dagrun.app.file_report import FileReport
from dagrun.core.graph import Graph
from dagrun.documents.yaml import Finding
from dagrun.errors import NotFoundError
from dagrun.kinds import child_of
from dagrun.value import Value, field, replace

if TYPE_CHECKING:
    from dagrun.documents.dialects.dialect import ParsedDocument
    from dagrun.documents.validation.child_documents import LinkedDocument


class CheckedFile(Value):
    """A file that was checked by itself."""

    report: FileReport
    parsed: ParsedDocument | None = None
    #: The DAGs that its tasks run, as they are written, by the index of the task.
    children: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, displayed: str, parsed: ParsedDocument, findings: Sequence[Finding]) -> CheckedFile:
        """The file with the findings in it, which may be in any order."""
        report = _with(FileReport(displayed, parsed.source, (), parsed.dag), findings)
        named = {i: ref for i, task in enumerate(parsed.dag.tasks) if (ref := child_of(task)) is not None}
        known = {i: ref for i, ref in named.items() if i not in parsed.broken and "${{" not in ref}
        return cls(report, parsed, known)


def _with(report: FileReport, findings: Sequence[Finding]) -> FileReport:
    """The report with further findings, and a graph when none of all is an error."""
    every = sorted([*report.findings, *findings], key=lambda each: (each.place.line, each.place.column))
    report = replace(report, findings=every, graph=None)
    return report if report.errors or report.dag is None else replace(report, graph=Graph.compile(report.dag))


class _Check(Protocol):
    def __call__(self, path: Path, displayed: str, *, calls: bool) -> CheckedFile:
        """One file by itself."""
        ...


class LinkedDocuments:
    """Checks documents together with those that their tasks run. One that has not changed is not read again.

    `find` finds the document of a child run. `check` checks one file by itself.
    """

    def __init__(self, find: Callable[[str], tuple[Path, str]], check: _Check) -> None:
        self._find = find
        self._check = check
        self._reports: dict[Path, tuple[dict[Path, tuple[int, ...]], FileReport]] = {}
        self._known: dict[tuple[Path, bool], tuple[tuple[int, ...], CheckedFile]] = {}

    def report(self, path: Path, displayed: str) -> FileReport:
        """A report for one document. Costs a look at each file as long as none of those that it is linked with has changed."""
        known = self._reports.get(path)
        if known is None or any(file_stamp(each) != stamp for each, stamp in known[0].items()):
            reports = self.reports(path, self._checked(path, displayed, calls=True), calls=True)
            paths = (path, *(Path(each.path).absolute() for each in reports[1:]))
            stamps = {each: file_stamp(each) for each in paths}
            known = self._reports[path] = (stamps, reports[0])
        return known[1]

    def reports(self, path: Path, first: CheckedFile, *, calls: bool) -> Sequence[FileReport]:
        """A report for the document `first`, which is at `path`, and for all that are reached from it."""
        from dagrun.documents.validation.child_documents import LinkedDocument, check_child_documents

        files: dict[Path, CheckedFile] = {path.resolve(): first}
        linked: dict[Path, LinkedDocument] = {}
        pile = [path.resolve()]
        for key in pile:  # grows while it is read
            file = files[key]
            children: dict[int, Path] = {}
            missing: dict[int, NotFoundError] = {}
            for i, named in file.children.items():
                try:
                    found, displayed = self._find(named)
                except NotFoundError as error:
                    missing[i] = error
                    continue
                child = children[i] = found.resolve()
                if child not in files:
                    files[child] = self._checked(found, displayed, calls=calls)
                    pile.append(child)
            report = file.report
            name = report.dag.name if report.dag is not None else report.path
            linked[key] = LinkedDocument(
                name, report.path, report.dag, file.parsed, bool(report.errors), children, missing
            )
        more = check_child_documents(linked)
        first_report, *others = [_with(file.report, more[key]) for key, file in files.items()]
        if first_report.errors:
            first_report = replace(first_report, below=[each for other in others for each in other.errors])
        return [first_report, *others]

    def _checked(self, path: Path, displayed: str, *, calls: bool) -> CheckedFile:
        stamp = file_stamp(path)
        known = self._known.get((path, calls))
        if known is None or known[0] != stamp:
            known = self._known[path, calls] = (stamp, self._check(path, displayed, calls=calls))
        return known[1]


def file_stamp(path: Path) -> tuple[int, ...]:
    """What changes when a file does; empty when there is none."""
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino
