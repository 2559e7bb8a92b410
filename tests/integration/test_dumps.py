"""Dumps as people have them: each object is imported, or told with its line and the reason, and never a traceback."""

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from assistants.local.azurite import Storage
from assistants.migrate.__main__ import main
from assistants.migrate.importing import import_lines
from assistants.migrate.lines import read
from assistants.migrate.target import Target
from assistants.migrate.told import Report, Told
from assistants.settings import settings
from tests.support.service import foreign
from tests.support.service.foreign import (
    ASSISTANT,
    OLD,
    RUN,
    THREAD,
    WHOLE,
    Imported,
    assistant,
    exported,
    file,
    member,
    message,
    ndjson,
    run,
    step,
    store,
    thread,
)
from tests.support.service.inprocess import InProcess

service, imported = foreign.service, foreign.imported

ONE, TWO = assistant("asst_1"), assistant("asst_2", OLD + 1)
PAGE = {"object": "list", "data": [ONE, TWO], "first_id": "asst_1", "last_id": "asst_2", "has_more": False}
BOM = b"\xef\xbb\xbf"


def lines(*objects: object, **how: Any) -> bytes:
    return b"".join(json.dumps(each, ensure_ascii=False, **how).encode() + b"\n" for each in objects)


@pytest.mark.parametrize(
    "text",
    [
        BOM + lines(ONE, TWO),
        BOM + lines([ONE, TWO], indent=2),
        lines(ONE, TWO).replace(b"\n", b"\r\n"),
        lines([ONE, TWO], indent=2).replace(b"\n", b"\r\n"),
        lines(ONE, TWO, indent=2),
        lines(PAGE),
        lines(PAGE, indent=2),
        lines({"data": [ONE, TWO], "has_more": False}),
        lines(PAGE | {"data": [ONE], "has_more": True}, PAGE | {"data": [TWO]}),
        lines([PAGE | {"data": [ONE], "has_more": True}, PAGE | {"data": [TWO]}], indent=1),
        b"\n\n" + lines(ONE) + b"\n  \n" + lines(TWO),
        b"[\n" + lines(ONE).strip() + b",\n" + lines(TWO) + b"]",
        b'{"object": "assistant", "id":\n' + lines(ONE, TWO),
    ],
)  # fmt: skip
async def test_a_text_in_any_form_is_read(imported: Imported, text: bytes):
    told = await imported(text=text, dry_run=True)
    assert [each.id for each in told if each.result == "imported"] == ["asst_1", "asst_2"]
    assert len(told) == 2 or told[0].at == "x:1"


@pytest.mark.parametrize(
    ("text", "at", "reason"),
    [
        (lines(ONE) + '{"id": "asst_é"}'.encode("cp1252"), "x:2", "Not UTF-8 at byte 14: it may be Windows-1252."),
        (lines([ONE], indent=1).replace(b"gpt", "é".encode("cp1252")), "x:6", "Not UTF-8 at byte"),
        (b'{"id": "asst_1", "temperature": NaN}', "x:1", "Not JSON: expected value at line 1 column 33 (NaN is no"),
        (lines(ONE).decode().encode("utf-16"), "x", "It is in UTF-16: save it as UTF-8."),
        (gzip.compress(lines(ONE), mtime=0), "x", "It is an archive: unpack it first."),
        (lines(PAGE | {"has_more": True}), "x:1", "The list goes on: it has_more, and its last page is not here."),
        (lines([ONE], indent=1)[:-20], "x", "Not JSON: EOF while parsing"),
        (lines(ONE, TWO, indent=1) + b"{oops", "x:15", "Not JSON: Expecting property name"),
        (b"id,name\nasst_1,A\n", "x:1", "Not JSON: expected value"),
        (b"[" * 300 + b"]" * 300, "x:1", "Not JSON: recursion limit"),
        (b'{"id": "asst_1", "x": ' + b"9" * 5000 + b"}", "x:1", "Not JSON: number out of range"),
        (lines({"object": [1], "id": "x"}), "x:1", "It has neither `object` nor an `id`"),
        (lines({"error": {"message": "No"}}), "x:1", "It has neither `object` nor an `id`"),
        (lines([1, None, "x"]), "x:1[1]", "Not a JSON object."),
        (b"null", "x:1", "Not a JSON object."),
        (lines(assistant(created_at="yesterday")), "x:1", "created_at: Input should be a valid integer"),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_has_a_place_and_a_reason(imported: Imported, text: bytes, at: str, reason: str):
    told = await imported(text=text, dry_run=True)
    bad = [each for each in told if each.result == "invalid"]
    assert bad[0].at == at
    assert bad[0].why.startswith(reason)


async def test_half_a_character_is_replaced_and_told(imported: Imported, service: InProcess[Any]):
    told = await imported(text=b'{"object":"assistant","id":"asst_1","created_at":1,"model":"m","name":"\\ud83d!"}')
    assert [(each.result, each.why) for each in told] == [
        ("noted", "Half characters (surrogates) are replaced."),
        ("imported", ""),
    ]
    assert (await service.client.beta.assistants.retrieve("asst_1")).name == "\ufffd!"


@pytest.mark.parametrize("created", [f"{OLD}", OLD + 0.75, "2023-11-14T22:13:20Z", "2023-11-14 22:13:20+00:00"])
async def test_a_time_comes_in_any_form(imported: Imported, service: InProcess[Any], created: Any):
    told = await imported(thread(), run(completed_at=created, created_at=created), assistant(created=created))
    assert [each.why for each in told if each.result != "imported"] == []
    assert (await service.client.beta.assistants.retrieve(ASSISTANT)).created_at == OLD
    found = await service.client.beta.threads.runs.retrieve(RUN, thread_id=THREAD)
    assert (found.created_at, found.completed_at) == (OLD, OLD)


async def test_metadata_are_kept_as_far_as_they_can(imported: Imported, service: InProcess[Any]):
    many = {f"key{number}": "x" for number in range(17)}
    odd = {"a": 1, "b": True, "c": {"d": [1]}, "e": None, "f": "text"}
    objects = [
        assistant("asst_1", metadata=None),
        assistant("asst_2", metadata=many),
        assistant("asst_3", metadata=odd),
    ]
    told = await imported(*objects)
    assert sorted(each.why for each in told if each.result == "noted") == [
        *(f"metadata.{name}: not a text, kept as one" for name in "abc"),
        "metadata.e: not a text, left out",
    ]
    shown = [(await service.client.beta.assistants.retrieve(f"asst_{number}")).metadata for number in (1, 2, 3)]
    assert shown == [{}, many, {"a": "1", "b": "true", "c": '{"d": [1]}', "f": "text"}]


async def test_messages_of_any_form_are_read(imported: Imported, service: InProcess[Any]):
    cited = {"type": "file_citation", "text": "[0]", "start_index": 0, "end_index": 3}
    annotations = [cited | {"file_citation": {"file_id": "file-gone"}}]
    said = [
        message(0, content="As a text"),
        message(1, content=[{"type": "text", "text": "As it was sent"}]),
        message(2, content=[{"type": "text", "text": {"value": "[0]", "annotations": annotations}}]),
        message(3, attachments=[{"file_id": "file-gone", "tools": [{"type": "file_search"}]}]),
        message(4, content=[]),
        message(5, content="A text of v1", file_ids=["file-gone"]),
        message(0, content="Another text"),
    ]
    told = await imported(assistant(), thread(), *said, run(status="in_progress"))
    assert [(each.id, each.why) for each in told if each.result == "noted"] == [
        ("msg_foreign0", "It came before, and differs: the first is kept."),
        (RUN, "It was in_progress, and cannot go on: it has expired."),
    ]
    found = (await service.client.beta.threads.messages.list(THREAD, order="asc")).data
    texts = [[part.text.value for part in each.content if part.type == "text"] for each in found]
    assert texts == [["As a text"], ["As it was sent"], ["[0]"], ["Text 3"], [], ["A text of v1"]]
    (first,) = [part.text.annotations for part in found[2].content if part.type == "text"]
    assert [each.to_dict() for each in first] == annotations
    assert [[each.file_id for each in message.attachments or []] for message in found][3:6:2] == [["file-gone"]] * 2


NASTY = [
    assistant(tools=[{"type": "retrieval", "retrieval": None}], file_ids=["file-1", 7, "file-gone"]),
    assistant("asst_2", tools="retrieval", file_ids=["file-1"]),
    assistant("asst_3", tools=5, file_ids="file-1"),
    assistant("asst_4", tool_resources={"code_interpreter": {"file_ids": ["file-1", "file-gone"]}}),
    assistant("asst_5", tool_resources={"file_search": {"vector_store_ids": ["vs_foreign"]}}, metadata={"a": 1}),
    assistant("asst_6", tool_resources={"file_search": {"vector_store_ids": ["vs_gone"]}}, colour="red"),
    assistant("asst_6", name="Another"),
    assistant("asst_7", tools=[{"type": "bing_grounding", "bing_grounding": {"connections": []}}]),
    *file("file-1", b"It is sunny."),
    *file("file-2"),
    *file("file-2"),
    {**file("file-3")[0], "bytes": 99},
    {"object": "file.content", "file_id": "file-3", "data": "eA=="},
    *file("file-4"),
    {"object": "file.content", "file_id": "file-4", "data": "no base64"},
    store(),
    store(name="Another"),
    member("file-1"),
    member("file-2"),
    member("file-gone"),
    member("file-1", "vs_gone"),
    *WHOLE,
    *WHOLE,
    message(3, role="system"),
    message(4, content=5),
    step("step_2", run_id="run_gone"),
    run("run_2", assistant_id="asst_gone", status="queued"),
    run("run_3", assistant_id=["asst_gone"]),
    thread("thread_2", tool_resources={"code_interpreter": {"file_ids": ["file-gone"]}}),
    message(1, "thread_made", id="msg_made"),
    thread("nothread"),
    {"object": "model", "id": "gpt"},
]


async def told_by(service: InProcess[Any], project: str, source: Path, **how: bool) -> list[Told]:
    found = list[Told]()

    async def tell(each: Told) -> None:
        found.append(each)

    await import_lines(Target(service.store, project, Report(tell), **how), read(source), source)
    return sorted(found, key=lambda each: (each.at, each))


@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_dry_run_says_the_same_as_the_import(
    service: InProcess[Any], fresh: str, tmp_path: Path, overwrite: bool
):
    (tmp_path / "a dump").mkdir()
    (tmp_path / "a dump" / "All of it.JSONL").write_bytes(BOM + ndjson(NASTY) + b"{\n")
    for _ in range(2):  # into an empty project, and again
        before = await told_by(service, fresh, tmp_path, dry_run=True, overwrite=overwrite)
        assert await told_by(service, fresh, tmp_path, overwrite=overwrite) == before
    assert (await exported(service)).count(b"\n") == 30


async def test_a_content_that_was_not_written_whole_is_none(service: InProcess[Any], fresh: str, tmp_path: Path):
    (tmp_path / "files.json").write_bytes(lines(file("file-1")))
    (tmp_path / "contents").mkdir()
    (tmp_path / "contents" / "file-1.part").write_bytes(b"half")
    told = await told_by(service, fresh, tmp_path, dry_run=True)
    assert [each.why for each in told] == ["", "Its content is not in the import."]


def test_a_folder_with_archives_or_without_objects_says_so(
    idle: Storage, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AzureWebJobsStorage", idle.connection_string)
    settings.cache_clear()
    assert main(["import", str(tmp_path), "--dry-run"]) == 1
    assert "has no objects" in capsys.readouterr().out
    with io.BytesIO() as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.json", "{}")
        archive.close()
        (tmp_path / "my dump.zip").write_bytes(file.getvalue())
        (tmp_path / "renamed.json").write_bytes(file.getvalue())
    assert main(["import", str(tmp_path), "--dry-run"]) == 1
    out = capsys.readouterr().out
    assert "my dump.zip  : invalid. It is an archive: unpack it first." in out
    assert "renamed.json  : invalid. It is an archive: unpack it first." in out
