"""What is wrong with one file."""

from __future__ import annotations

from collections.abc import Sequence

from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.documents.yaml import DocumentError, Finding, Source
from dagrun.value import Value, replace


class FileReport(Value):
    """The findings in one file. `graph` is None when there was an error."""

    path: str
    source: Source | None
    findings: Sequence[Finding]
    dag: Dag | None = None
    graph: Graph | None = None
    #: The ids in a file of schedules.
    schedules: Sequence[str] | None = None
    #: Of a document with errors: the errors in the documents that its tasks run.
    below: Sequence[Finding] = ()

    @property
    def errors(self) -> list[Finding]:
        """The findings that make the document invalid."""
        return [finding for finding in self.findings if finding.level == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """The other findings."""
        return [finding for finding in self.findings if finding.level == "warning"]

    def strict(self) -> FileReport:
        """The same report with every warning as an error."""
        findings = [replace(finding, level="error") for finding in self.findings]
        return replace(self, findings=findings, graph=None if findings else self.graph)

    def error(self) -> DocumentError:
        """The findings as an exception to raise."""
        return DocumentError([*self.findings, *self.below], self.source)
