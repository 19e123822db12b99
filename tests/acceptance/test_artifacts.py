"""Artifacts: what tasks keep and pass on, over a matrix, over attempts, over resumes and reruns."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.acceptance.harness import Project, wait_for


def kept(project: Project, run: str = "latest") -> set[str]:
    """Every file that the tasks of a run have kept."""
    top = project.run_dir(run) / "artifacts"
    return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}


def test_a_script_reads_what_another_one_has_made(project: Project) -> None:
    project.write(
        "app.yaml",
        """
        name: app
        tasks:
          - id: build
            working_dir: src
            run: mkdir -p dist/lib && echo app > dist/app.txt && echo lib > dist/lib/one && echo log > build.log
            artifacts: [dist, "*.log"]
          - id: idle
            run: "true"
          - id: use
            depends_on: [build, idle]
            env: {BUILT: "${{ tasks.build.artifacts }}"}
            run: |
              rm -r src/dist
              cat "$DAGRUN_ARTIFACTS/build/dist/app.txt" "$BUILT/dist/lib/one" ${{ tasks.build.artifacts }}/build.log
              echo "where=$BUILT" >> "$DAGRUN_OUTPUT"
              echo "idle=${{ tasks.idle.artifacts }}" >> "$DAGRUN_OUTPUT"
          - id: only_then
            depends_on: [build]
            if: tasks.build.artifacts != null
            run: "true"
        """,
    )
    project.write("src/readme", "")
    outcome = project.answer("run", "app.yaml", "-o", "json")
    assert outcome.code == 0, outcome.err
    assert project.log("use") == "app\nlib\nlog\n"
    assert outcome.task("use")["outputs"] == {
        "where": str(project.run_dir() / "artifacts" / "build"),
        "idle": "",
    }
    assert kept(project) == {"build/dist/app.txt", "build/dist/lib/one", "build/build.log"}
    assert not (project.run_dir() / "scratch").exists()


def test_each_variant_keeps_its_own_and_the_group_maps_them(project: Project) -> None:
    project.write(
        "matrix.yaml",
        """
        name: matrix
        tasks:
          - id: test
            matrix: {python: ["3.9", "3.10"]}
            run: mkdir -p out && echo "$MATRIX_PYTHON" > "out/$MATRIX_PYTHON.txt"
            artifacts: ["out/${{ matrix.python }}.txt"]
          - id: each
            for_each: [a, b]
            if: item == 'b'
            run: touch ${{ item }}.txt
            artifacts: ["${{ item }}.txt"]
          - id: collect
            depends_on: [test, {task: each, trigger: always}]
            run: |
              cat "$A"/out/*.txt ${{ tasks.test.artifacts['python=3.10'] }}/out/*.txt
              ls ${{ tasks.each.artifacts['1'] }}
            env: {A: "${{ tasks['test[python=3.9]'].artifacts }}"}
        """,
    )
    outcome = project.answer("run", "matrix.yaml", "-o", "json")
    assert outcome.code == 0, outcome.err
    assert project.log("collect") == "3.9\n3.10\nb.txt\n"
    assert len(kept(project)) == 3


def test_a_missing_artifact_fails_the_task_and_may_be_tried_again(project: Project) -> None:
    project.write(
        "missing.yaml",
        """
        name: missing
        on_error: continue
        tasks:
          - {id: never, run: "true", artifacts: ["dist/*.whl", README], working_dir: src}
          - {id: fails, run: "touch x; exit 3", artifacts: [x]}
          - {id: second, run: 'test "$DAGRUN_ATTEMPT" = 1 || touch late.txt', artifacts: [late.txt], retries: 1}
          - {id: after, depends_on: [never], run: "true"}
        """,
    )
    project.write("src/README", "")
    outcome = project.answer("run", "missing.yaml", "-o", "json")
    assert outcome.json["status"] == "partial"
    reported = {event["task_id"]: event for event in project.events() if event["event"] == "task_fail"}
    assert (reported["never"]["error_type"], reported["never"]["error"]) == (
        "MissingArtifact", f"artifact 'dist/*.whl' found nothing in {project.root / 'src'}",
    )  # fmt: skip
    assert reported["fails"]["error"] == "exit code 3"
    assert [event["error_type"] for event in project.events() if event["event"] == "task_retry"] == [
        "MissingArtifact"
    ]
    assert outcome.task("second")["status"] == "success"
    assert kept(project) == {"fails/x", "second/late.txt"}


def test_what_a_workflow_writes_into_its_directory_is_kept_as_well(project: Project) -> None:
    project.workflows(
        """
        @workflow("draws")
        def draws(params: dict, ctx: TaskContext):
            (ctx.artifacts / f"try{ctx.attempt}.svg").touch()
            open("data.csv", "w").close()
            if ctx.attempt == 1:
                raise ValueError("not yet")

        @workflow("makes")
        def makes(params: dict):
            open("made.csv", "w").close()
        """
    )
    project.write(
        "draw.yaml",
        """
        name: draw
        tasks:
          - {id: draw, workflow_ref: draws, artifacts: [data.csv], retries: 1}
          - {id: make, workflow_ref: makes, artifacts: [made.csv]}
          - {id: show, depends_on: [draw, make], run: "ls ${{ tasks.draw.artifacts }} ${{ tasks.make.artifacts }}"}
        """,
    )
    assert project.answer("run", "draw.yaml").code == 0
    assert kept(project) == {"draw/try2.svg", "draw/data.csv", "make/made.csv"}
    assert "try2.svg" in project.log("show")


FLAKY = """
    name: flaky
    on_error: continue
    tasks:
      - {id: build, run: "echo $DAGRUN_RUN_ID > app.txt", artifacts: [app.txt]}
      - id: use
        depends_on: [build]
        run: |
          echo made > made.$DAGRUN_ATTEMPT
          cat ${{ tasks.build.artifacts }}/app.txt
          test -f fixed || rm made.$DAGRUN_ATTEMPT
        artifacts: ["made.*"]
      - {id: last, depends_on: [use], run: "ls $DAGRUN_ARTIFACTS/use"}
"""


def test_a_resume_reads_what_was_kept_and_a_rerun_takes_it_over(project: Project) -> None:
    project.write("flaky.yaml", FLAKY)
    first = project.answer("run", "flaky.yaml", "-o", "json")
    assert first.task("use")["error"] == f"artifact 'made.*' found nothing in {project.root}"
    project.write("fixed", "")
    (project.root / "app.txt").unlink()
    resumed = project.answer("resume", "latest", "-o", "json")
    assert resumed.code == 0, resumed.err
    run_id = resumed.json["run_id"]
    assert project.log("use", 2) == f"{run_id}\n"
    assert project.log("last") == "made.2\n"

    rerun = project.answer("rerun", run_id, "--from", "last", "-o", "json")
    assert rerun.code == 0, rerun.err
    assert project.log("last") == "made.2\n"
    assert kept(project, rerun.json["run_id"]) == {"build/app.txt", "use/made.2"}
    again = project.answer("rerun", rerun.json["run_id"], "--from", "use", "-o", "json")
    assert again.code == 0, again.err
    assert project.log("use") == f"{run_id}\n"  # build's result is still the first run's
    assert kept(project, run_id) == {"build/app.txt", "use/made.2"}


def large(project: Project) -> Path:
    """A directory that takes a while to copy, and is never copied to its end: sparse files, so that only the copies are large."""
    directory = project.root / "large"
    directory.mkdir()
    for number in range(2):
        with (directory / f"{number}.bin").open("wb") as file:
            file.truncate(1 << 33)
    return directory


def copying(project: Project) -> bool:
    """Whether some of the large directory has been copied."""
    return any(path.stat().st_size for path in project.root.glob("logs/runs/*/scratch/*.artifacts/large/*"))


LARGE = """
    name: large
    on_error: continue
    tasks:
      - {id: keep, run: "true", artifacts: [large], timeout: %s}
"""
BESIDE = """
      - {id: beside, run: "until ls logs/runs/*/scratch/*.artifacts/large/*.bin; do sleep 0.02; done"}
"""


def test_a_timeout_while_artifacts_are_copied_leaves_nothing(project: Project) -> None:
    large(project)
    project.write("large.yaml", LARGE % "500ms")
    outcome = project.answer("run", "large.yaml", "-o", "json")
    assert outcome.task("keep")["status"] == "timed_out"
    assert kept(project) == set()
    assert not (project.run_dir() / "scratch").exists()


def test_a_kill_while_artifacts_are_copied_leaves_nothing_under_their_name(project: Project) -> None:
    directory = large(project)
    project.write("large.yaml", LARGE % "1h" + BESIDE)
    process = project.start("run", "large.yaml")
    wait_for("the first copy", lambda: copying(project))
    wait_for("the end of the other task", lambda: "task_ok beside" in project.names())
    assert "task_ok keep" not in project.names(), "the loop did not continue while it was copied"
    process.send_signal(signal.SIGKILL)
    project.finish(process)
    assert kept(project) == set()
    for path in directory.iterdir():
        os.truncate(path, 1)
    outcome = project.answer("resume", "latest", "-o", "json")
    assert outcome.code == 0, outcome.err
    assert kept(project) == {f"keep/large/{number}.bin" for number in range(2)}
    assert not (project.run_dir() / "scratch").exists()
