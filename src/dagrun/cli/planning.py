"""The command that shows a run before it is made: plan."""

from __future__ import annotations

from dagrun.cli import output
from dagrun.cli.options import Form, setting_flags
from dagrun.cli.run_options import Drawing, PlanOptions, takes


@takes(PlanOptions)
def plan(options: PlanOptions) -> int:
    """Show the tasks of a run in their order, with expected times.

    Tasks in one wave can run at the same time. Expected times are medians of each task's newest 20 successes, from the
    newest 50 runs of all DAGs.

    Examples:
      dagrun plan backup
      dagrun plan etl.yaml --graph mermaid > graph.md

    Exit codes:
      0  the plan was printed
      2  the document has errors
    """
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.errors import UsageError
    from dagrun.runtime.run_request import RunRequest
    from dagrun.views import drawing
    from dagrun.views import plan as plans

    request = RunRequest(dag=options.named, tenant=options.tenant, max_parallel=options.max_parallel)
    if options.graph not in (None, Drawing.JSON) and options.form is Form.JSON:
        raise UsageError(f"--graph {options.graph} is not JSON: give --graph json, or leave out -o json")
    with wiring.service(settings.load(flags=setting_flags(options.workflows))) as service:
        graph = service.documents.graph(request)
        children = service.documents.child_graphs(graph)
        if options.graph is not None:
            print(drawing.FORMS[options.graph](graph, children))
            return 0
        estimate, now = service.estimate(graph), service.clock.now()
    if options.form is Form.JSON:
        output.print_json(plans.as_json(estimate, children))
    else:
        print(plans.as_text(estimate, now, children))
    return 0
