"""Checked documents are kept, and nothing ever depends on it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dagrun.core.model import Dag
from dagrun.documents.cache import CheckedDocument, DocumentCache, fingerprint
from dagrun.documents.yaml import Finding, Place
from dagrun.registry import Failure, Origin, Parameter, Registry, Workflow
from tests.unit.harness import task

WARNING = Finding(
    Place("etl.yaml", 3, 7), "`[[` is bash syntax", "bash-syntax", "write shell: bash", "warning"
)
CHECKED = CheckedDocument(Dag(name="etl", tasks=(task("a"), task("b", "a"))), (WARNING,), "0f")


@pytest.fixture
def cache(tmp_path: Path) -> DocumentCache:
    return DocumentCache(tmp_path / "cache", 100_000)


def only_file(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "cache").iterdir()
    return path


def test_a_document_is_found_again_with_its_warnings_at_the_path_of_the_question(
    cache: DocumentCache,
) -> None:
    key = cache.key("name: etl", "etl")
    assert cache.find(key, "etl.yaml") is None
    cache.add(key, CHECKED)
    assert cache.find(key, "etl.yaml") == CHECKED
    found = cache.find(key, "../etl.yaml")
    assert found is not None
    assert found.warnings[0].place == Place("../etl.yaml", 3, 7)


def test_another_text_or_another_default_name_is_another_document(cache: DocumentCache) -> None:
    keys = {cache.key("name: etl", "etl"), cache.key("name: etl ", "etl"), cache.key("name: etl", "other")}
    assert len(keys) == 3


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"\0" * 500, b"[]", b'{"registry":null,"warnings":[],"dag":{}}']
)
def test_a_damaged_entry_is_deleted_and_not_used(cache: DocumentCache, tmp_path: Path, damage: bytes) -> None:
    key = cache.key("name: etl", "etl")
    cache.add(key, CHECKED)
    only_file(tmp_path).write_bytes(damage)
    assert cache.find(key, "etl.yaml") is None
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_directory_that_all_users_can_write_to_is_not_trusted(cache: DocumentCache, tmp_path: Path) -> None:
    key = cache.key("name: etl", "etl")
    cache.add(key, CHECKED)
    (tmp_path / "cache").chmod(0o777)
    assert cache.find(key, "etl.yaml") is None


def test_a_link_in_place_of_the_directory_is_not_followed(cache: DocumentCache, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache").symlink_to("elsewhere")
    cache.add(cache.key("name: etl", "etl"), CHECKED)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_without_a_directory_to_write_to_nothing_is_kept_and_nothing_fails(tmp_path: Path) -> None:
    cache = DocumentCache(tmp_path / "no" / "cache", 100_000)
    cache.add("0" * 32, CHECKED)
    assert not (tmp_path / "no").exists()


def test_a_cache_of_no_bytes_is_off(tmp_path: Path) -> None:
    DocumentCache(tmp_path / "cache", 100_000).add("0" * 32, CHECKED)
    off = DocumentCache(tmp_path / "cache", 0)
    off.add("1" * 32, CHECKED)
    assert off.find("0" * 32, "etl.yaml") is None
    assert off.find("1" * 32, "etl.yaml") is None


def test_the_documents_that_were_not_used_for_longest_are_deleted_first(tmp_path: Path) -> None:
    cache = DocumentCache(tmp_path / "cache", 100_000)
    cache.add("0" * 32, CHECKED)
    size = only_file(tmp_path).stat().st_size
    cache = DocumentCache(tmp_path / "cache", 3 * size)
    for age, digit in enumerate("012"):
        cache.add(digit * 32, CHECKED)
        os.utime(tmp_path / "cache" / f"{digit * 32}.json", (age, age))
    cache.find("0" * 32, "etl.yaml")  # is a use
    cache.add("3" * 32, CHECKED)
    assert {path.stem[0] for path in (tmp_path / "cache").iterdir()} == {"0", "2", "3"}


def test_the_fingerprint_of_the_workflows_changes_with_each_of_them() -> None:
    origin = Origin("module", "ops")
    sweep = Workflow(
        "sweep",
        "",
        (Parameter("n", "int", "3", required=False),),
        takes_rest=False,
        origin=origin,
        home="ops",
    )
    registries = [
        Registry(),
        Registry({"sweep": sweep}),
        Registry({"sweep": Workflow("sweep", "", (), takes_rest=False, origin=origin, home="ops")}),
        Registry({"sweep": sweep}, (Failure(origin, "it cannot be imported"),)),
    ]
    assert len({fingerprint(each) for each in registries}) == len(registries)
    assert fingerprint(Registry({"sweep": sweep})) == fingerprint(Registry({"sweep": sweep}))
