"""What a reference says, where its key leads, and which address names a store."""

from __future__ import annotations

import builtins
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from consumers import ArtifactReference, ArtifactStoreRefused
from consumers._artifacts.artifact_keys import key_of, new_key
from consumers._artifacts.artifact_reference import reference_of
from consumers._artifacts.store_address import opened_store
from coordinator.errors import OperatorError

GOOD: dict[str, Any] = {
    "uri": "file:///srv/a/t/1/u/n.txt",
    "size": 3,
    "sha256": "0" * 64,
    "media_type": "text/plain",
    "name": "n.txt",
}
STORE = "s3://bucket/prefix"


@pytest.mark.parametrize(
    ("task_id", "name", "key"),
    [
        ("t-1", "report.csv", "t-1/1/u/report.csv"),
        ("../../etc", "../../passwd", "_.._etc/1/u/_.._passwd"),
        ("..", "..", "task/1/u/artifact"),
        ("a/b c", "é\x00/x.tar.gz", "a_b_c/1/u/_x.tar.gz"),
        (".hidden", ".ssh", "hidden/1/u/ssh"),
        ("t" * 128, "n" * 252 + ".md", f"{'t' * 100}/1/u/{'n' * 97}.md"),
    ],
)
def test_a_key_is_safe_whatever_the_task_and_the_artifact_are_called(
    task_id: str, name: str, key: str
) -> None:
    made = new_key(task_id, 1, unique="u", name=name)
    assert made == key
    assert key_of(f"{STORE}/{made}", store=STORE) == made


@pytest.mark.parametrize(
    "uri",
    [
        STORE,
        f"{STORE}/",
        f"{STORE}/../other/x",
        f"{STORE}/a/../../x",
        f"{STORE}/a//x",
        f"{STORE}/a/.x.part",
        f"{STORE}/a/%2e%2e/x",
        f"{STORE}/a\n",
        f"{STORE}-of-others/x",
        "s3://other/prefix/x",
        "file:///etc/passwd",
        "/etc/passwd",
    ],
)
def test_a_reference_leads_nowhere_but_below_the_own_store(uri: str) -> None:
    with pytest.raises(ArtifactStoreRefused, match="an agent fetches from its own alone"):
        key_of(uri, store=STORE)


def test_a_reference_is_read_as_it_comes_in_the_data_of_a_task() -> None:
    assert reference_of({**GOOD, "more": 1}) == GOOD


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("file:///x", "a reference is what task.store gives"),
        (None, "a reference is what task.store gives"),
        ({**GOOD, "size": -1}, "has size=-1"),
        ({**GOOD, "size": True}, "has size=True"),
        ({**GOOD, "size": "3"}, "has size='3'"),
        ({**GOOD, "sha256": "0" * 63}, "64 hexadecimal digits"),
        ({**GOOD, "uri": ""}, "has uri=''"),
        ({**GOOD, "name": None}, "has name=None"),
    ],
)
def test_what_is_no_reference_is_refused_with_a_sentence(wrong: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        reference_of(wrong)


def test_a_model_of_the_tasks_data_may_hold_a_reference() -> None:
    class Order(BaseModel):
        pages: ArtifactReference

    assert Order.model_validate({"pages": GOOD}).pages == GOOD


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("/srv/artifacts", "must be file:///folder or s3://bucket/prefix"),
        ("http://bucket/x", "must be file:///folder or s3://bucket/prefix"),
        ("file://srv/artifacts", "with three slashes before it"),
        ("file:///srv/../etc", "with three slashes before it"),
        ("file:///", "with three slashes before it"),
        ("s3://", "must be s3://bucket/prefix"),
        ("s3://Bucket/x", "must be s3://bucket/prefix"),
        ("s3://bucket/a//b", "must be s3://bucket/prefix"),
        ("s3://bucket/../b", "must be s3://bucket/prefix"),
        ("s3://id:secret@bucket/x", "belong in AWS_* variables"),
        ("s3://bucket/x?endpoint=y", "belong in AWS_* variables"),
        ("s3://bucket:9000/x", "The address of a server goes into AWS_ENDPOINT_URL"),
        ("s3://no..bucket/x", "the bucket of 3 to 63 small letters"),
        ("s3://[bucket/x", "characters that neither may have"),
        ("s3://id:secret@bucket\u2100/x", "characters that neither may have"),
        ("file:///srv/a%00b", "characters that neither may have"),
        ("file:///" + "n" * 300, "File name too long"),
        ("file:///no/such/folder/anywhere", "there is no such folder: make it, or mount it"),
    ],
)
def test_what_is_no_address_of_a_store_is_refused_with_what_to_write(
    address: str, sentence: str
) -> None:
    with pytest.raises(OperatorError, match=re.escape(sentence)) as refused:
        opened_store(address)
    assert "secret" not in refused.value.message


def test_an_address_of_a_folder_may_have_spaces_and_a_slash_at_its_end(tmp_path: Path) -> None:
    folder = tmp_path / "our artifacts"
    folder.mkdir()
    assert opened_store(f"{folder.as_uri()}/").address == f"{tmp_path.as_uri()}/our%20artifacts"


def test_without_the_extra_a_bucket_is_refused_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    imported = builtins.__import__

    def without_obstore(name: str, *args: Any, **options: Any) -> Any:
        if name.endswith("bucket_store"):
            raise ModuleNotFoundError("No module named 'obstore'", name="obstore")
        return imported(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without_obstore)
    with pytest.raises(OperatorError, match=re.escape("[artifacts]'")):
        opened_store("s3://bucket/prefix")
    opened_store(tmp_path.as_uri())
