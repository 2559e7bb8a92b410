"""Import and export of objects: their ids, times, order and contents are kept."""

import json
from typing import Any

import pytest
from openai import NotFoundError

from assistants.admin.finding import run_named, runs_since
from assistants.admin.screen import Screen
from assistants.engine.items import RetireThreads
from assistants.engine.retention import retire_threads
from assistants.ingestion.items import INGEST
from assistants.local.azurite import Storage
from assistants.state.retention import DAY
from assistants.state.store import RunKey
from assistants.storage.ids import blob_name
from tests.support.service import foreign
from tests.support.service.attending import later, open_store
from tests.support.service.foreign import (
    ASSISTANT,
    OLD,
    OTHER,
    RUN,
    THREAD,
    WHOLE,
    Imported,
    asked,
    assistant,
    completed,
    exported,
    file,
    member,
    message,
    ndjson,
    run,
    step,
    store,
    thread,
    why,
)
from tests.support.service.inprocess import InProcess

service, imported = foreign.service, foreign.imported


async def test_a_thread_is_as_it_was(service: InProcess[Any], imported: Imported):
    told = await imported(assistant(), *WHOLE)
    assert [each.result for each in told] == ["imported", "imported"]
    beta = service.client.beta
    found = await beta.threads.messages.list(THREAD, order="asc", limit=100)
    assert [each.id for each in found.data] == [f"msg_foreign{number}" for number in range(25)]
    assert found.data[3].created_at == OLD
    runs = (await beta.threads.runs.list(THREAD)).data
    assert runs[0].to_dict().items() >= run().items()
    (shown,) = (await beta.threads.runs.steps.list(RUN, thread_id=THREAD)).data
    assert "content" not in shown.to_dict()["step_details"]["tool_calls"][0]["file_search"]["results"][0]  # type: ignore[index]
    with_texts = await beta.threads.runs.steps.retrieve(
        "step_1", thread_id=THREAD, run_id=RUN, include=["step_details.tool_calls[*].file_search.results[*].content"]
    )
    assert with_texts.to_dict()["step_details"] == step()["step_details"]


async def test_an_imported_thread_can_be_continued_and_deleted(service: InProcess[Any], imported: Imported):
    await imported(assistant(), *WHOLE)
    beta = service.client.beta
    await beta.threads.messages.create(THREAD, role="user", content="And now?")
    new = await beta.threads.runs.create(THREAD, assistant_id=ASSISTANT)
    await completed(service, THREAD, new.id)
    prompt = service.model.requests[-1]["messages"]
    assert [each["content"] for each in prompt][-3:] == ["Text 23", "Text 24", "And now?"]
    assert [each.id for each in (await beta.threads.runs.list(THREAD)).data] == [new.id, RUN]
    await beta.threads.update(THREAD, metadata={"a": "b"})
    await beta.threads.runs.update(RUN, thread_id=THREAD, metadata={"c": "d"})
    assert (await beta.threads.runs.retrieve(RUN, thread_id=THREAD)).metadata == {"c": "d"}
    await beta.threads.delete(THREAD)
    assert (await service.client.get("/threads", cast_to=object))["data"] == []  # type: ignore[index]


async def test_an_incomplete_thread_is_not_visible(service: InProcess[Any], imported: Imported, fresh: str):
    await imported(assistant(), *WHOLE)
    await service.store.threads.delete(f"{fresh}/{THREAD}")
    for path in ("", "/messages", "/messages/msg_foreign1", "/runs", f"/runs/{RUN}", f"/runs/{RUN}/steps", "/export"):
        assert (await asked(service, "GET", f"/threads/{THREAD}{path}")).status_code == 404, path
    assert why(await imported(*WHOLE), "invalid") == []
    assert len((await exported(service)).splitlines()) == 29


async def test_a_repeated_import_has_no_effect_and_overwrite_refreshes(service: InProcess[Any], imported: Imported):
    await imported(assistant(), *WHOLE)
    before = await exported(service)
    again = await imported(assistant(), *WHOLE)
    assert {each.result for each in again} == {"there"}
    assert imported.report.summary()["thread.message"] == {"there": 25}
    assert await exported(service) == before

    newer = [assistant(name="New"), thread(metadata={"a": "b"}), message(3, metadata={"n": "3"}), message(99)]
    told = await imported(*newer, run(status="failed"), overwrite=True)
    assert {each.result for each in told} == {"overwritten"}
    assert (await service.client.beta.assistants.retrieve(ASSISTANT)).name == "New"
    assert (await service.client.beta.threads.retrieve(THREAD)).metadata == {"a": "b"}
    messages = (await service.client.beta.threads.messages.list(THREAD, limit=100)).data
    assert (messages[0].id, len(messages)) == ("msg_foreign99", 26)
    assert messages[-4].metadata == {"n": "3"}
    assert (await service.client.beta.threads.runs.retrieve(RUN, thread_id=THREAD)).status == "failed"


async def test_the_rest_of_a_thread_that_is_imported_in_parts_is_reported_and_can_be_appended(imported: Imported):
    await imported(thread(), message(0))
    rest = [thread(), message(0), message(1), message(2)]
    told = "It is there, without 2 of these messages: an import that overwrites appends them."
    assert why(await imported(*rest)) == [told]
    assert why(await imported(*rest, dry_run=True)) == [told]
    assert why(await imported(*rest, overwrite=True)) == []
    assert why(await imported(*rest)) == []


async def test_messages_are_paged_in_any_order(service: InProcess[Any], imported: Imported):
    texts = [list(map(message, range(start, start + 10))) for start in (20, 0, 10)]
    pages = [{"object": "list", "data": page[::-1], "first_id": "x"} for page in texts]
    await imported(thread(), *pages)
    found = await service.client.beta.threads.messages.list(THREAD, order="asc", limit=100)
    assert [each.id for each in found.data] == [f"msg_foreign{number}" for number in range(30)]
    newest_first = [message(number, OTHER, id=f"msg_{number}") for number in range(30)][::-1]
    await imported(thread(OTHER), *newest_first)
    found = await service.client.beta.threads.messages.list(OTHER, limit=100)
    assert [each.id for each in found.data] == [each["id"] for each in newest_first]


async def test_a_dry_run_reports_and_does_not_write(service: InProcess[Any], imported: Imported):
    told = await imported(assistant(), *WHOLE, {"object": "thread", "id": "x"}, dry_run=True)
    results = sorted((each.result, each.object) for each in told)
    assert results == [("imported", "assistant"), ("imported", "thread"), ("invalid", "thread")]
    assert imported.report.summary()["thread.message"] == {"imported": 25}
    assert (await service.client.beta.assistants.list()).data == []
    assert await exported(service) == b""


@pytest.mark.parametrize(
    ("object_", "reason"),
    [
        (b"{", "Not JSON"),
        (b'"text"', "Not a JSON object."),
        (b'{"object": "model", "id": "gpt"}', "Objects of the kind 'model' are not imported."),
        (b'{"id": "what"}', "It has neither `object` nor an `id`"),
        (json.dumps(assistant("asst_" + "x" * 200)).encode(), "id: String should have at most 144 characters"),
        (json.dumps(assistant("asst_a/../b")).encode(), "id: Expected letters, numbers, underscores, or dashes."),
        (json.dumps(assistant("thread_1")).encode(), "id: Expected an ID that begins with 'asst'."),
        (json.dumps(assistant() | {"model": 7}).encode(), "model: Input should be a valid string"),
        (json.dumps(message(1) | {"thread_id": None}).encode(), "It has no `thread_id`."),
        (json.dumps(step()).encode(), f"Its run '{RUN}' is not in the import."),
        (json.dumps(member("file-1")).encode(), "Its vector store 'vs_foreign' is not in the import."),
    ],
)
async def test_an_invalid_line_is_reported_with_its_position(imported: Imported, object_: bytes, reason: str):
    text = ndjson([assistant("asst_good")]) + b"\n" + object_ + b"\n" + ndjson([thread()])
    told = await imported(text=text)
    (bad,) = [each for each in told if each.result == "invalid"]
    assert bad.why.startswith(reason)
    assert bad.at.startswith("x:3")
    assert sum(each.result == "imported" for each in told) == 2


async def test_unknown_fields_are_reported_and_the_others_kept(service: InProcess[Any], imported: Imported):
    tools = [{"type": "code_interpreter"}, {"type": "bing_grounding", "bing_grounding": {}}]
    told = await imported(assistant(tools=tools, colour="red", temperature=None), run(), thread())
    assert "colour: unknown, left out" in why(told)
    assert any(each.startswith("tools[1]") for each in why(told))
    kept = await service.client.beta.assistants.retrieve(ASSISTANT)
    assert [tool.type for tool in kept.tools] == ["code_interpreter"]


async def test_an_object_with_missing_parts_is_imported_as_far_as_possible(service: InProcess[Any], imported: Imported):
    told = await imported(message(1), run(status="in_progress"), *file("file-without"))
    assert "The thread itself is not in the import: it is made for its messages and runs." in why(told)
    assert f"The assistant '{ASSISTANT}' of its runs is not there." in why(told)
    assert "It was in_progress, and cannot go on: it has expired." in why(told)
    assert "Its content is not in the import." in why(told)
    beta = service.client.beta
    assert (await beta.threads.retrieve(THREAD)).created_at == OLD
    assert (await beta.threads.runs.retrieve(RUN, thread_id=THREAD)).status == "expired"
    assert (await service.client.files.retrieve("file-without")).filename == "a.txt"
    with pytest.raises(NotFoundError, match="without its content"):
        await service.client.files.content("file-without")
    (told_again,) = await imported(*file("file-without", b"now"))
    assert told_again.result == "imported"
    assert (await service.client.files.content("file-without")).content == b"now"


@pytest.mark.parametrize(
    "form",
    [
        lambda each: ndjson(each),
        lambda each: json.dumps(each).encode(),
        lambda each: json.dumps(each, indent=2).encode(),
        lambda each: json.dumps({"object": "list", "data": each[::-1], "has_more": False}, indent=1).encode(),
        lambda each: ndjson([{"object": "list", "data": each[:1]}, {"object": "list", "data": each[1:]}]),
    ],
    ids=["NDJSON", "an array in a line", "an array", "a list as answered", "pages"],
)
async def test_objects_may_have_any_form(service: InProcess[Any], imported: Imported, form: Any):
    objects = [assistant(f"asst_{number}", OLD + number // 2) for number in range(6)]
    await imported(text=form(objects))
    found = await service.client.beta.assistants.list(order="asc")
    assert [each.id for each in found.data] == [each["id"] for each in objects]


async def test_objects_of_v1_keep_their_files_and_tools(service: InProcess[Any], imported: Imported):
    old = assistant(tools=[{"type": "retrieval"}], file_ids=["file-1"], object="assistant")
    said = message(0, file_ids=["file-1"])
    told = await imported(old, *file("file-1", b"It is sunny."), thread() | {"tool_resources": None}, said)
    assert why(told, "invalid") == []
    kept = await service.client.beta.assistants.retrieve(ASSISTANT)
    assert [tool.type for tool in kept.tools] == ["file_search"]
    assert kept.tool_resources
    assert kept.tool_resources.file_search
    (store_id,) = kept.tool_resources.file_search.vector_store_ids or []
    assert [each.id for each in (await service.client.vector_stores.files.list(store_id)).data] == ["file-1"]
    (shown,) = (await service.client.beta.threads.messages.list(THREAD)).data
    assert [each.file_id for each in shown.attachments or []] == ["file-1"]


async def test_files_of_vector_stores_are_embedded_again(service: InProcess[Any], imported: Imported):
    files = [*file("file-1", b"It is sunny in Oslo."), *file("assistant-2", b"It rains in Bergen.", "b.txt")]
    members = [member("file-1", attributes={"city": "Oslo"}), member("assistant-2"), member("file-missing")]
    told = await imported(*members, store(), *files)
    assert [each.id for each in told if each.result == "invalid"] == ["file-missing"]
    stores = service.client.vector_stores
    assert (await stores.retrieve("vs_foreign")).file_counts.in_progress == 2
    while (shown := await stores.retrieve("vs_foreign")).file_counts.in_progress:
        await service.attend(INGEST)
    assert (shown.created_at, shown.last_active_at, shown.file_counts.completed) == (OLD, OLD, 2)
    listed = (await stores.files.list("vs_foreign", order="asc")).data
    assert [(each.id, each.created_at) for each in listed] == [("file-1", OLD + 1), ("assistant-2", OLD + 1)]
    assert listed[0].attributes == {"city": "Oslo"}
    assert (await stores.files.retrieve("assistant-2", vector_store_id="vs_foreign")).status == "completed"
    await service.client.files.delete("assistant-2")
    assert [each.id for each in (await stores.files.list("vs_foreign")).data] == ["file-1"]
    await stores.delete("vs_foreign")
    assert (await stores.list()).data == []


ROUND = [
    assistant(metadata={"a": "b"}, temperature=0.5, tools=[{"type": "file_search"}]),
    assistant("asst_plain", OLD + 1),
    *WHOLE,
    thread(OTHER, OLD + 2),
    message(7, OTHER, id="msg_other", content=[{"type": "image_file", "image_file": {"file_id": "file-1"}}]),
]


async def test_a_thread_is_imported_and_exported_as_ndjson(service: InProcess[Any], imported: Imported):
    """An export, imported into another project and exported there, is the same byte for byte."""
    await imported(*ROUND)
    first = await exported(service)
    assert [json.loads(each)["object"] for each in first.splitlines()].count("thread.message") == 25
    answer = await asked(service, "POST", "/import", first, key="other")
    told = [json.loads(each) for each in answer.content.splitlines()]
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert told[-1] == {
        "object": "import",
        "status": "completed",
        "counts": {
            "thread": {"noted": 1, "imported": 1},
            "thread.message": {"imported": 25},
            "thread.run": {"imported": 1},
            "thread.run.step": {"imported": 1},
        },
    }
    assert (await asked(service, "GET", f"/threads/{THREAD}/export", key="other")).content == first


async def test_a_truncated_export_is_imported_up_to_its_end_and_reported(imported: Imported):
    imported.tells_ends = True
    counts = {"thread": 1, "thread.message": 25, "thread.run": 1, "thread.run.step": 1}
    end = {"object": "export", "status": "completed", "thread_id": THREAD, "counts": counts}
    told = await imported(assistant(), *WHOLE, end)
    assert [each.object for each in told] == ["assistant", "thread"]

    unknown = f"{THREAD} has no end line, as exports of this service have: whether all of it is here is not known."
    cut = await imported(thread(), message(0), dry_run=True)
    assert [(each.result, each.why) for each in cut if each.object == "export"] == [("noted", unknown)]
    lost = await imported(thread(), message(0), run(), end, dry_run=True)
    assert why(lost, "invalid") == [
        "The thread is not whole: 24 of 25 thread.message, 1 of 1 thread.run.step are lost."
    ]
    assert [each.id for each in lost if each.result == "there"] == [THREAD]
    assert why(await imported(end, dry_run=True), "invalid") == ["Its thread is not in the import."]
    odd = {"object": "export", "thread_id": THREAD, "counts": [1]}
    assert why(await imported(*WHOLE, odd, dry_run=True), "invalid") == ["It is no end line."]
    assert why(await imported({"object": "export"}, dry_run=True), "invalid") == ["It has no `thread_id`."]


async def test_objects_of_this_service_make_the_round_trip_too(service: InProcess[Any], imported: Imported):
    beta = service.client.beta
    made = await beta.assistants.create(model="gpt-4o")
    ours = await beta.threads.create(messages=[{"role": "user", "content": "Hello"}], metadata={"a": "b"})
    new = await beta.threads.runs.create(ours.id, assistant_id=made.id)
    await completed(service, ours.id, new.id)
    first = await exported(service, ours.id)
    assert len(first.splitlines()) == 6
    assert (await asked(service, "POST", "/import", first, key="other")).status_code == 200
    assert (await asked(service, "GET", f"/threads/{ours.id}/export", key="other")).content == first


async def test_only_a_marked_project_may_import(service: InProcess[Any]):
    answer = await asked(service, "POST", "/import", b"{}", key="weak")
    assert answer.status_code == 403
    assert "may not import" in answer.json()["error"]["message"]
    assert (await asked(service, "GET", "/assistants", key="weak")).status_code == 200
    assert (await asked(service, "GET", f"/threads/{THREAD}/export", key="weak")).status_code == 404


async def test_two_projects_have_the_same_ids(service: InProcess[Any], imported: Imported):
    await imported(assistant(name="One"))
    await asked(service, "POST", "/import", ndjson([assistant(name="Two", created=OLD - 5)]), key="other")
    assert (await asked(service, "DELETE", f"/assistants/{ASSISTANT}")).status_code == 200
    assert (await asked(service, "GET", f"/assistants/{ASSISTANT}")).status_code == 404
    assert (await asked(service, "GET", f"/assistants/{ASSISTANT}", key="other")).json()["name"] == "Two"


async def test_a_long_thread_is_imported_by_few_writes(service: InProcess[Any], imported: Imported):
    told = await imported(thread(), *(message(number, id=f"msg_{number:05}") for number in range(10_000)))
    assert [each.result for each in told] == ["imported"]
    (newest,) = (await service.client.beta.threads.messages.list(THREAD, limit=1)).data
    assert newest.id == "msg_09999"
    assert (await exported(service)).count(b"\n") == 10_002


async def test_retention_counts_from_the_import(imported: Imported, idle: Storage, fresh: str):
    await imported(assistant(), *WHOLE, thread(OTHER))
    store = open_store(idle, THREAD_TTL_DAYS="60")
    await retire_threads(later(store, 59 * DAY), RetireThreads(project=fresh))
    assert await store.threads.read(blob_name(fresh, THREAD))
    await retire_threads(later(store, 61 * DAY), RetireThreads(project=fresh))
    assert await store.threads.read(blob_name(fresh, THREAD)) is None
    assert await store.threads.read(blob_name(fresh, OTHER)) is None
    assert [name async for name in store.runs.names(f"{fresh}/")] == []
    await store.close()


async def test_operators_find_runs_that_were_imported_by_their_ids(
    service: InProcess[Any], imported: Imported, fresh: str
):
    await imported(assistant(), *WHOLE)
    screen = Screen(as_json=True)
    found = [key async for key, _ in runs_since(service.store, fresh, 0, screen)]
    assert found == [RunKey(fresh, THREAD, RUN)]
    assert (await run_named(service.store, RUN, fresh, None, screen))[0] == found[0]
