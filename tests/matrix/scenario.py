"""A conversation through a client of the installed version of `openai`: `python scenario.py CLIENT URL`.

It runs in a separate environment, in which this project is not installed, and prints each stage.
"""

import asyncio
import inspect
import json
import sys
from typing import Any

import openai

CODE = """\
```python
print(sum(map(int, open("/mnt/data/numbers.csv"))))
open("/mnt/data/double.csv", "w").write("84")
```"""
POLL = 50
"""Milliseconds between two reads of a run."""
TOOLS: Any = [{"type": "function", "function": {"name": "get_time", "parameters": {"type": "object"}}}]


def connect(kind: str, url: str) -> Any:
    """The client; the Azure clients have only the endpoint, the key and a version."""
    if "Azure" in kind:
        endpoint = url[: -len("/v1")]
        return getattr(openai, kind)(azure_endpoint=endpoint, api_key="any", api_version="2024-05-01-preview")
    return getattr(openai, kind)(base_url=url, api_key="any")


async def settled(value: Any) -> Any:
    """The result of a call of a synchronous or an asynchronous client."""
    return await value if inspect.isawaitable(value) else value


async def every(listed: Any) -> list[Any]:
    """The objects of all pages; asynchronous clients return a page of another type."""
    if hasattr(listed, "__aiter__"):
        return [each async for each in listed]
    return list(listed)


async def refusal(call: Any) -> str:
    """The error that the call raises, the beginning of its request id, and its message."""
    try:
        await settled(call())
    except openai.APIStatusError as error:
        return f"{type(error).__name__} {(error.request_id or '')[:4]}: {error.body['message']}"  # type: ignore[index]
    raise AssertionError("not refused")


async def converse(client: Any) -> None:
    """Print each stage of the conversation."""
    threads = client.beta.threads
    assistant = await settled(client.beta.assistants.create(model="gpt-4o", tools=TOOLS, metadata={"a": "b"}))
    assistant = await settled(client.beta.assistants.update(assistant.id, name="Clock"))
    print("assistant:", assistant.name, assistant.metadata, assistant.tools[0].function.name)

    thread = await settled(threads.create(messages=[{"role": "user", "content": "Hello"}]))
    at = {"thread_id": thread.id}
    run = await settled(threads.runs.create_and_poll(assistant_id=assistant.id, poll_interval_ms=POLL, **at))
    print("run:", run.status, run.usage.total_tokens > 0)

    await settled(threads.messages.create(role="user", content="Please get_time", **at))
    run = await settled(threads.runs.create_and_poll(assistant_id=assistant.id, poll_interval_ms=POLL, **at))
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    print("tools:", run.status, call.function.name, json.loads(call.function.arguments))
    locked = await refusal(lambda: threads.messages.create(role="user", content="Wait!", **at))
    print("locked:", locked.replace(thread.id, "THREAD").replace(run.id, "RUN"))
    outputs = [{"tool_call_id": call.id, "output": "noon"}]
    submit = threads.runs.submit_tool_outputs_and_poll
    run = await settled(submit(run_id=run.id, tool_outputs=outputs, poll_interval_ms=POLL, **at))
    print("outputs:", run.status)

    messages = await every(threads.messages.list(limit=1, order="asc", **at))
    print("messages:", [message.content[0].text.value for message in messages])
    steps = await every(threads.runs.steps.list(run_id=run.id, limit=1, **at))
    print("steps:", [step.type for step in steps])
    runs = await every(threads.runs.list(limit=1, **at))
    print("runs:", [each.status for each in runs])

    question: Any = {"messages": [{"role": "user", "content": "Please get_time"}]}
    create = threads.create_and_run_poll
    run = await settled(create(assistant_id=assistant.id, thread=question, poll_interval_ms=POLL))
    run = await settled(threads.runs.cancel(run_id=run.id, thread_id=run.thread_id))
    print("cancel:", run.status in ("cancelling", "cancelled"))

    code = await settled(client.beta.assistants.create(model="gpt-4o", tools=[{"type": "code_interpreter"}]))
    file = await settled(client.files.create(file=("numbers.csv", b"12\n30\n"), purpose="assistants"))
    attached = {"file_id": file.id, "tools": [{"type": "code_interpreter"}]}
    question = {"messages": [{"role": "user", "content": CODE, "attachments": [attached]}]}
    run = await settled(create(assistant_id=code.id, thread=question, poll_interval_ms=POLL))
    steps = await every(threads.runs.steps.list(run_id=run.id, thread_id=run.thread_id, order="asc"))
    calls = [each for step in steps for each in getattr(step.step_details, "tool_calls", ())]
    outputs = [output.logs for each in calls for output in each.code_interpreter.outputs]
    answers = await every(threads.messages.list(thread_id=run.thread_id, run_id=run.id))
    links = [link for each in answers for part in each.content for link in part.text.annotations]
    made = [(await settled(client.files.content(link.file_path.file_id))).content for link in links]
    print("code:", run.status, outputs, made)

    print("refused:", await refusal(lambda: client.beta.assistants.create(model="gpt-4o", top_p=2)))
    deleted = [await settled(threads.delete(thread.id)), await settled(client.beta.assistants.delete(assistant.id))]
    print("deleted:", [each.object for each in deleted])
    missing = await refusal(lambda: threads.retrieve(thread.id))
    print("missing:", missing.replace(thread.id, "THREAD"))


if __name__ == "__main__":
    asyncio.run(converse(connect(*sys.argv[1:])))
