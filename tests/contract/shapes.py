"""DAGs of several shapes, each written in every dialect."""

from __future__ import annotations

#: Tasks by name, each with what it needs, its trigger, and words that are spelt alike; those whose names begin with `bad` fail.
SHAPES: dict[str, dict[str, tuple[list[str], str, str]]] = {
    "chain": {"z": ([], "", ""), "a": (["z"], "", ""), "m": (["a"], "", "")},
    "diamond": {"a": ([], "", ""), "c": (["a"], "", ""), "b": (["a"], "", ""), "d": (["b", "c"], "", "")},
    "failure": {
        "a": ([], "", ""), "bad": (["a"], "", ""), "b": (["bad"], "", ""), "c": (["a"], "", ""),
        "mend": (["bad"], "failure", ""), "idle": (["c"], "failure", ""), "last": (["b", "c"], "always", ""),
    },
    "tolerated": {"bad": ([], "", "TOLERATED"), "b": (["bad"], "", "")},
    "matrix": {
        "test": ([], "", "matrix: {v: [3.9, 3.10], os: [a, b], exclude: [{os: a, v: 3.9}]}, max_parallel: 2"),
        "below": (["test"], "", ""),
    },
    "failing matrix": {"bad": ([], "", "matrix: {v: [1, 2]}, continue_on_failure: false"), "below": (["bad"], "", "")},
    "list": {"a": ([], "", ""), "each": (["a"], "", "for_each: ['x', 'y', 'z']"), "below": (["each"], "", "")},
    "conditions": {
        "a": ([], "", ""), "no": (["a"], "", "if: steps.a.status == 'failed'"), "yes": (["a"], "", "unless: cancelled()"),
        "bad": (["a"], "", ""), "after": (["bad"], "", "if: jobs.bad.status == 'failed'"),
    },
    "retries": {"bad": ([], "", "retry: {max_attempts: 3, initial: 1, jitter: 0}"), "b": (["bad"], "always", "")},
}  # fmt: skip


def written(dialect: str, shape: dict[str, tuple[list[str], str, str]], run: str = "x") -> str:
    """A shape in a dialect, with everything written out that another dialect takes for granted."""
    lines = []
    for name, (needs, trigger, words) in shape.items():
        tolerated = {"steps": "continueOnFailure: true"}.get(dialect, "continue_on_failure: true")
        words = words.replace("TOLERATED", tolerated)
        if dialect == "steps":
            words = words.replace("continue_on_failure", "continueOnFailure")
        parts = {
            "tasks": [
                f"id: {name}",
                f"depends_on: {needs}",
                "timeout: 60",
                trigger and f"trigger: {trigger}",
            ],
            "steps": [
                f"name: {name}",
                f"dependsOn: {needs}",
                "timeoutSeconds: 60",
                trigger and f"trigger: {trigger}",
            ],
            "jobs": [f"requires: {needs}", "timeout: 60", trigger and f"on_complete: {trigger}"],
        }[dialect]
        task = ", ".join(part for part in (f"run: {run}", *parts, words) if part)
        lines.append(f"  {name}: {{{task}}}" if dialect == "jobs" else f"  - {{{task}}}")
    head = {
        "tasks": "name: it\non_error: continue\ntimeout: 3600\ntasks:",
        "steps": "metadata: {name: it}\nspec:\n timeoutSeconds: 3600\n steps:",
        "jobs": "name: it\non_error: continue\ntimeout: 3600\njobs:",
    }[dialect]
    return "\n".join([head, *lines])
