"""The code interpreter: the model's code is executed, and its logs and files are in the run (contract, 7.4 and 12)."""

from typing import Any

import httpx2
import pytest
from openai import AssistantEventHandler, NotFoundError, OpenAI
from openai.types.beta.threads import Run
from typing_extensions import override

from assistants.tools.code_interpreter.local.availability import available
from tests.support.office import packed
from tests.support.sdk.conversation import WEATHER, call, unique
from tests.support.sdk.events import (
    CALLS_BEGIN,
    MESSAGE_BEGINS,
    MESSAGE_ENDS,
    RUN_BEGINS,
    deltas,
    names,
    only,
    said,
    stream,
)
from tests.support.sdk.talk import POLL, ask, calls_of, submit, upload
from tests.support.service.processes import Model

pytestmark = pytest.mark.skipif(bool(available()), reason=str(available()))

TOOL: Any = {"type": "code_interpreter"}
READ = """
import csv, openpyxl, os
amounts = [int(row["amount"]) for row in csv.DictReader(open("/mnt/data/sales.csv"))]
print(sum(amounts), openpyxl.load_workbook("/mnt/data/more.xlsx").active["A1"].value)
os.makedirs("/mnt/data/out", exist_ok=True)
open("/mnt/data/out/sum of all.txt", "w").write(str(sum(amounts)))
sorted(os.listdir("/mnt/data"))
"""


def runs(question: str, code: str, call_id: str = "call_c") -> dict[str, Any]:
    """A turn of the model in which it calls the code interpreter."""
    return {"match": question, "tool_calls": [{"id": call_id, "name": TOOL["type"], "arguments": {"code": code}}]}


def coder(client: OpenAI, *tools: Any) -> str:
    return client.beta.assistants.create(model="gpt-4o", tools=[TOOL, *tools]).id


def outputs(client: OpenAI, run: Run) -> list[dict[str, Any]]:
    """The outputs of the code of a run that has ended."""
    assert run.status == "completed", run.last_error
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc")
    details = (step.step_details.to_dict() for step in steps)
    called: Any = [call for each in details for call in each.get("tool_calls", ())]  # type: ignore[union-attr]
    return [output for call in called if call["type"] == TOOL["type"] for output in call[TOOL["type"]]["outputs"]]


def sheet() -> bytes:
    """An xlsx file whose first cell is `A1!`."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{types}.sheet.main+xml"/>'
        f'<Override PartName="/xl/sheet.xml" ContentType="{types}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}">'
        '<sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="sheet.xml"/></Relationships>',
        "xl/sheet.xml": f'<worksheet xmlns="{main}"><sheetData><row r="1">'
        '<c r="A1" t="inlineStr"><is><t>A1!</t></is></c></row></sheetData></worksheet>',
    }
    return packed(parts)


def test_code_reads_attached_files_and_makes_others(client: OpenAI, model: Model):
    question = unique()
    link = "sandbox:/mnt/data/out/sum of all.txt"
    model.script(runs(question, READ), {"match": question, "text": f"Here: [sum]({link})."})
    files = [upload(client, "month,amount\nMay,3\nJune,4\n", "sales.csv"), upload(client, sheet(), "more.xlsx")]
    attachments: Any = [{"file_id": file, "tools": [TOOL]} for file in files]
    thread = client.beta.threads.create(messages=[{"role": "user", "content": question, "attachments": attachments}])
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=coder(client), poll_interval_ms=POLL
    )
    logs, value = outputs(client, run)[0]["logs"].split("\n")[:2]
    assert logs == "7 A1!"
    assert all(name in value for name in ("sales.csv", "more.xlsx", *files))
    offered = model.requests(question)[0]["tools"][0]["function"]["description"]
    assert all(told in offered for told in ('"sales.csv"', '"more.xlsx"', *files))

    (message,) = client.beta.threads.messages.list(thread.id, limit=1).data
    text = message.content[0].to_dict()["text"]
    (annotation,) = text["annotations"]  # type: ignore[index]
    assert text["value"][annotation["start_index"] : annotation["end_index"]] == annotation["text"] == link  # type: ignore[index]
    made = annotation["file_path"]["file_id"]
    assert client.files.retrieve(made).filename == "sum of all.txt"
    assert client.files.content(made).content == b"7"
    client.beta.threads.delete(thread.id)
    with pytest.raises(NotFoundError):
        client.files.retrieve(made)


def test_variables_and_files_stay_between_runs(client: OpenAI, model: Model):
    first, second = unique(), unique()
    assistant = coder(client)
    model.script(
        runs(first, "x = 41; open('/mnt/data/a.txt', 'w').write('a')"),
        {"match": first, "text": "Done."},
        runs(second, "print(x + 1, open('/mnt/data/a.txt').read())", "call_d"),
        {"match": second, "text": "Done."},
    )
    run = ask(client, assistant, first)
    assert outputs(client, run) == [{"type": "logs", "logs": "1\n"}]
    again = ask(client, assistant, second, run.thread_id)
    assert outputs(client, again) == [{"type": "logs", "logs": "42 a\n"}]


def test_an_exception_is_in_the_logs_and_the_model_reads_it(client: OpenAI, model: Model):
    question = unique()
    model.script(runs(question, "1 / 0"), {"match": question, "text": "I divided by zero."})
    run = ask(client, coder(client), question)
    assert "ZeroDivisionError" in outputs(client, run)[0]["logs"]
    assert "ZeroDivisionError" in model.requests(question)[1]["messages"][-1]["content"]


def test_a_forced_interpreter_is_called(client: OpenAI):
    question = f"{unique()}\n```python\nprint('forced')\n```"
    run = ask(client, coder(client, WEATHER), question, tool_choice=TOOL)
    assert outputs(client, run) == [{"type": "logs", "logs": "forced\n"}]


def test_code_a_search_and_a_function_are_called_in_one_turn(client: OpenAI, model: Model):
    question = unique()
    turn = runs(question, "print('all')")
    search = {"id": "call_s", "name": "file_search", "arguments": {"queries": ["Oslo"]}}
    turn["tool_calls"] += [search, call("get_weather", "call_w", city="Oslo")]
    model.script(turn, {"match": question, "text": "All."})
    run = ask(client, coder(client, {"type": "file_search"}, WEATHER), question)
    assert [each.id for each in calls_of(run)] == ["call_w"]
    run = submit(client, run, "sunny")
    assert outputs(client, run) == [{"type": "logs", "logs": "all\n"}]
    code, found, weather = model.requests(question)[1]["messages"][-3:]
    assert (code["content"], found["tool_call_id"], weather["content"]) == ("all", "call_s", "sunny")


@pytest.mark.no_azure
def test_a_stream_tells_the_code_then_its_outputs_then_the_links(client: OpenAI, model: Model):
    question = unique()
    code = "print('é \"quoted\"')\nopen('/mnt/data/a.csv', 'w').write('a,b')"
    answer = ["It is [here](sand", "box:/mnt/da", "ta/a.cs", "v), and sandbox:/mnt/data/b.csv", " is not."]
    model.script(runs(question, code), {"match": question, "chunks": answer})
    thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])
    events = stream(client, f"threads/{thread.id}/runs", assistant_id=coder(client))
    assert names(events) == [
        *RUN_BEGINS, *CALLS_BEGIN, "thread.run.step.completed", *MESSAGE_BEGINS, *MESSAGE_ENDS,
        "thread.run.completed", "done",
    ]  # fmt: skip
    calls = [delta["delta"]["step_details"]["tool_calls"][0] for delta in deltas(events) if "step" in delta["object"]]
    begun, *written, put_out = calls
    assert begun == {
        "index": 0,
        "id": "call_c",
        "type": "code_interpreter",
        "code_interpreter": {"input": "", "outputs": []},
    }
    assert len(written) > 1
    assert "".join(each["code_interpreter"]["input"] for each in written) == code
    (output,) = put_out["code_interpreter"]["outputs"]
    assert output == {"index": 0, "type": "logs", "logs": 'é "quoted"\n3\n'}
    assert said(events) == "".join(answer)
    message = only(events, "thread.message.completed")
    (annotation,) = message["content"][0]["text"]["annotations"]
    assert annotation["text"] == "sandbox:/mnt/data/a.csv"
    linked = [part for delta in deltas(events) for part in delta["delta"].get("content", ())]
    assert [part["text"]["annotations"] for part in linked if part["text"].get("annotations")] == [
        [{"index": 0, **annotation}]
    ]


class Listener(AssistantEventHandler):
    """Records complete objects."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[Any] = []

    @override
    def on_tool_call_done(self, tool_call: Any) -> None:
        self.done.append(tool_call.code_interpreter)

    @override
    def on_image_file_done(self, image_file: Any) -> None:
        self.done.append(image_file.file_id)

    @override
    def on_text_done(self, text: Any) -> None:
        self.done.append(text.value)


@pytest.mark.no_async
def test_the_sdks_handler_gets_the_code_the_figure_and_the_text(client: OpenAI, model: Model):
    question = unique()
    code = "import matplotlib.pyplot as plt\nprint('drawn')\nplt.plot([1, 2])\nNone"
    model.script(runs(question, code), {"match": question, "text": "A line."})
    thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])
    listener = Listener()
    at: dict[str, Any] = {"thread_id": thread.id, "assistant_id": coder(client)}
    with client.beta.threads.runs.stream(**at, event_handler=listener) as streamed:
        streamed.until_done()
    called, image, text = listener.done[:3]  # the SDK reports the call again at each later step's end
    assert (called.input, text) == (code, "A line.")
    assert [output.type for output in called.outputs] == ["logs", "image"]
    assert called.outputs[1].image.file_id == image
    assert client.files.content(image).content.startswith(b"\x89PNG")


@pytest.mark.no_azure
def test_programs_of_v1_name_the_files_by_file_ids(client: OpenAI, model: Model):
    question = unique()
    file = upload(client, "a,b\n", "table.csv")
    model.script(
        runs(question, f"print(open('/mnt/data/table.csv').read() == open('/mnt/data/{file}').read())"),
        {"match": question, "text": "Read."},
    )

    def v1(method: str, path: str, body: object = None) -> Any:
        headers = {"OpenAI-Beta": "assistants=v1", **client.auth_headers}
        return httpx2.request(method, f"{client.base_url}{path}", json=body, headers=headers, timeout=30).json()

    assistant = v1("POST", "assistants", {"model": "gpt-4o", "tools": [TOOL], "file_ids": [file]})
    thread = {"messages": [{"role": "user", "content": question}]}
    run = v1("POST", "threads/runs", {"assistant_id": assistant["id"], "thread": thread})
    done = client.beta.threads.runs.poll(run["id"], thread_id=run["thread_id"], poll_interval_ms=POLL)
    assert outputs(client, done) == [{"type": "logs", "logs": "True\n"}]
