"""The paths of the parts of a document."""

from __future__ import annotations

from dagrun.documents.dialects.locations import DialectKeys, NodeLocations

KEYS = DialectKeys(
    noun="task", id="id", needs=("depends_on",), entry="task", trigger="trigger", params="params", later={}
)
TASK = {
    "id": "a",
    "run": "x",
    "depends_on": ["b", {"task": "c"}],
    "env": {"A": "1"},
    "services": {"db": {"image": "i"}},
    "parallel_with": ["d", "e"],
}
PATH = ("tasks", 0)
LOCATIONS = NodeLocations(KEYS, [(PATH, TASK), (("tasks", 1), {"commands": ["x", "y"], "services": ["i"]})])


def test_a_key_of_a_task_is_below_its_node() -> None:
    assert LOCATIONS.name(0) == (*PATH, "id")
    assert LOCATIONS.action(0) == (*PATH, "run")
    assert LOCATIONS.trigger(0) == (*PATH, "trigger")


def test_a_dependency_is_an_id_or_a_mapping() -> None:
    assert LOCATIONS.edge(0, "b") == (*PATH, "depends_on", 0)
    assert LOCATIONS.edge(0, "c") == (*PATH, "depends_on", 1)
    assert LOCATIONS.edge(0, "implicit") == LOCATIONS.trigger(0)
    assert LOCATIONS.parallel_with(0, "e") == (*PATH, "parallel_with", 1)


def test_a_value_that_a_task_does_not_have_is_in_the_defaults() -> None:
    assert LOCATIONS.variable(0, "A") == (*PATH, "env", "A")
    assert LOCATIONS.variable(0, "B") == ("defaults", "env", "B")
    assert LOCATIONS.option(1, "retries") == ("defaults", "retries")


def test_a_service_has_a_name_or_is_an_image() -> None:
    assert LOCATIONS.image(0, 0) == (*PATH, "services", "db", "image")
    assert LOCATIONS.image(1, 0) == ("tasks", 1, "services", 0)
    assert LOCATIONS.image(1) == ("tasks", 1, "image")


def test_a_script_is_one_text_or_one_of_several_commands() -> None:
    assert LOCATIONS.script(0, 0) == (*PATH, "run")
    assert LOCATIONS.script(1, 1) == ("tasks", 1, "commands", 1)


def test_the_default_of_a_declared_parameter_is_below_its_declaration() -> None:
    locations = NodeLocations(KEYS, [], root=("spec",))
    locations.declared.add("declared")
    assert locations.default("declared") == ("spec", "params", "declared", "default")
    assert locations.default("plain") == ("spec", "params", "plain")
