"""Why a task started when it did: the recorded reason as a sentence."""

from __future__ import annotations

from dagrun.core.events import DagResume, TaskFail, TaskStart, TaskWait
from dagrun.core.graph import Node
from dagrun.core.model import Dependency, Task, Trigger
from dagrun.views.recorded_run import RecordedEvent, RecordedRun, end_in_words
from dagrun.views.wording import count, plain, seconds


def start_reason(run: RecordedRun, node: Node, start: RecordedEvent) -> str:
    """`started because build succeeded (its last dependency to end)`; or `began to wait because ..`.

    A journal of an earlier version does not record the reason: then it is the dependency that ended last.
    """
    assert isinstance(start.event, TaskStart | TaskWait)
    kind, _, cause = (start.event.waited_for or "").partition(":")
    stretch = run.stretch_before(start.position)
    since, after = _last_dependency(run, node, start, stretch)
    if kind in ("slot", "group"):
        waited = seconds(start.event.timestamp - since)
        how, limit = "freed a slot", f"max_parallel is {run.slots(start.position)}"
        if kind == "group":
            how, limit = "ended", group_limit(run, node)
        because = f"when {cause} {how}, {waited} after {after or _stretch_in_words(stretch)}; {limit}"
    elif after:
        because = f"because {after}"
    else:
        resumed = stretch is not None and isinstance(stretch.event, DagResume)
        free = "all that it depends on had ended" if node.task.needs else "it depends on nothing"
        because = f"with the {'resumed run' if resumed else 'run'}: {free}"
    began = "started" if isinstance(start.event, TaskStart) else "began to wait"
    return f"{began} {because}{_condition(node.task)}"


def group_limit(run: RecordedRun, node: Node) -> str:
    """How many variants of the group of a variant run at once."""
    assert node.variant is not None
    group = run.state.nodes[node.variant.group].task
    return f"{group.id} runs {count(group.max_parallel or 0, 'variant')} at once (max_parallel)"


def _last_dependency(
    run: RecordedRun, node: Node, start: RecordedEvent, stretch: RecordedEvent | None
) -> tuple[float, str]:
    """The moment from which the task could start, and the end that let it; no text: it could when the stretch began."""
    ends = [
        (end, need)
        for need in node.task.needs
        if (end := run.end_before(need.task, start.position)) is not None
    ]
    began = -1 if stretch is None else stretch.position
    end, need = max(ends, key=lambda each: each[0].position, default=(None, None))
    if end is None or need is None or end.position < began:
        return (start if stretch is None else stretch).event.timestamp, ""
    which = "last dependency to end" if len(node.needs) > 1 else "only dependency"
    above = run.node(need.task).task
    is_tolerated = isinstance(end.event, TaskFail) and above.tolerates(end.event.exit_code)
    tolerated = ", which is tolerated" if is_tolerated else ""
    ended = f"{need.task} {end_in_words(end.event)}{tolerated}"
    return end.event.timestamp, f"{ended} (its {which}{_trigger(node.task, need)})"


def _stretch_in_words(stretch: RecordedEvent | None) -> str:
    resumed = stretch is not None and isinstance(stretch.event, DagResume)
    return f"the run {'was resumed' if resumed else 'began'}"


def _trigger(task: Task, need: Dependency) -> str:
    trigger = need.trigger or task.trigger
    return "" if trigger is Trigger.SUCCESS else f"; trigger: {trigger}"


def _condition(task: Task) -> str:
    both = (("if", task.condition), ("unless", task.unless))
    texts = [f"{word}: {plain(text, 80)}" for word, text in both if text is not None]
    return f"; its condition held ({', '.join(texts)})" if texts else ""
