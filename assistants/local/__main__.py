"""`python -m assistants.local`: the app with its queue functions, Azurite and a demo model unless set otherwise."""

# ruff: noqa: E402
import gc

gc.disable()  # function_app enables it when all modules are imported

import argparse
import asyncio
import importlib
import ipaddress
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from pydantic import ValidationError

from assistants.local import azurite, environment, logs
from assistants.local.model import model_or_demo
from assistants.local.protocol import Protocol
from assistants.local.pump import Activity, Pump, QueueOptions, queue_functions
from assistants.local.server import Server, base_url, bind, started
from assistants.local.timers import run_daily, timer_functions

GRACE = 10
"""Seconds that requests and queue functions in progress have to finish after the first signal."""

_EXAMPLE = """\
{python} -W ignore - <<'END'
from openai import OpenAI

client = OpenAI(base_url="{url}", api_key="{key}")
assistant = client.beta.assistants.create(model="gpt-4o", instructions="You are a friendly host.")
run = client.beta.threads.create_and_run_poll(
    assistant_id=assistant.id, thread={{"messages": [{{"role": "user", "content": "Hello, is anybody there?"}}]}}
)
print(client.beta.threads.messages.list(run.thread_id).data[0].content[0].text.value)
END"""
_DEVELOPMENT_KEY = "local-development-key"


async def run(host: str, port: int, data: Path) -> int:
    """Serve until a signal arrives; returns the exit code."""
    async with AsyncExitStack() as stack:
        proxy = environment.is_proxy()
        notes = [_proxy_note()] if proxy else [await _storage(stack, data), await model_or_demo(stack)]
        os.environ.setdefault("RUNS_DRIVEN_BY", "creator")
        os.environ.setdefault("CORS_ORIGINS", "http://localhost:*,http://127.0.0.1:*")
        os.environ.setdefault("NOTIFICATIONS", "true")
        os.environ.setdefault("PLAYGROUND", "true")
        function_app: Any = importlib.import_module("function_app")
        from assistants.service import service

        function_app.api.state.loopback = _is_loopback(host)
        listener = bind(host, port)
        drained, activity = asyncio.Event(), Activity()
        config = uvicorn.Config(
            _draining(_noted(function_app.api, activity), drained),
            access_log=False,
            log_config=None,
            lifespan="on",
            http=Protocol,
            timeout_graceful_shutdown=GRACE,
        )
        server = Server(config)
        functions = function_app.app.get_functions()  # it refuses a second call
        pump = None if proxy else await _pump(stack, functions, activity)
        stopping = asyncio.Event()

        def stop() -> None:
            if stopping.is_set():
                server.force_exit = True
                if pump:
                    pump.end_grace()
            server.should_exit = True
            stopping.set()

        http = asyncio.create_task(server.serve(sockets=[listener]))
        if not await started(server, http):
            return 1
        _on_signals(stop)
        if pump:
            pump.start()
            service().store.queues.on_send = pump.poll
            service().interpreter.under_local_runner = True
            notes = [*notes, _interpreter_note()]
        timers = [asyncio.create_task(run_daily(each)) for each in timer_functions(functions)]
        url = base_url(listener)
        print(f"Listening on {url}", flush=True)
        print(_welcome(url, [note for note in notes if note]), flush=True)
        signalled = asyncio.create_task(stopping.wait())
        await asyncio.wait({http, signalled}, return_when=asyncio.FIRST_COMPLETED)
        for task in (signalled, *timers):
            task.cancel()
        if pump:
            await pump.stop(GRACE)
        drained.set()
        await http
        return 0 if stopping.is_set() else 1


async def _storage(stack: AsyncExitStack, data: Path) -> str | None:
    if not environment.has_storage():
        storage = await stack.enter_async_context(azurite.Azurite(data))
        os.environ["AzureWebJobsStorage"] = storage.connection_string
    elif environment.has_development_storage():
        ours = azurite.Azurite(data, azurite.DEFAULT_PORTS)
        if azurite.listening(azurite.DEFAULT_PORTS[0]) and not ours.running():
            return None
        await stack.enter_async_context(ours)
    else:
        return None
    return f"Storage: Azurite, its data in {data}"


async def _pump(stack: AsyncExitStack, functions: Iterable[Any], activity: Activity) -> Pump:
    from assistants.settings import settings
    from assistants.storage.connection import queue_service

    service = queue_service(settings())
    stack.push_async_callback(service.close)
    options = QueueOptions.from_host(json.loads(Path("host.json").read_text(encoding="utf-8")))
    return Pump(queue_functions(functions), service, options, activity=activity)


def _interpreter_note() -> str | None:
    """Why code cannot be executed, as far as that is known without a test of the machine."""
    from assistants.settings import settings
    from assistants.tools.code_interpreter.choice import OFF
    from assistants.tools.code_interpreter.local.availability import lacking

    if settings().code_interpreter_pool is not None and settings().code_interpreter != "local":
        return None
    lacks = OFF if settings().code_interpreter == "off" else lacking()
    return f"Code interpreter: off. {lacks}" if lacks else None


def _proxy_note() -> str:
    return f"Backend: {os.environ.get('PROXY_BASE_URL')}; its deviations are in /proxy/report"


def _draining(app: Any, drained: asyncio.Event) -> Any:
    """The application, which shuts down only after the queue functions that use its service."""

    async def draining(scope: Any, receive: Any, send: Any) -> None:
        async def receive_drained() -> Any:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await drained.wait()
            return message

        await app(scope, receive_drained if scope["type"] == "lifespan" else receive, send)

    return draining


def _noted(app: Any, activity: Activity) -> Any:
    """The application; its requests count as activity."""

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        with activity.active() if scope["type"] == "http" else nullcontext():
            await app(scope, receive, send)

    return noted


def _on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()

    def handle(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handle)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _welcome(url: str, notes: list[str]) -> str:
    from assistants.settings import settings

    keys = os.environ.get("API_KEYS", "")
    reachable = url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    known = not keys or f"{_DEVELOPMENT_KEY}=" in keys
    example = _EXAMPLE.format(
        python=_shown(Path(sys.executable)),
        url=reachable,
        key=_DEVELOPMENT_KEY if known else "a key of API_KEYS",
    )
    if os.name == "nt":
        example = example.partition("\n")[2].rpartition("\n")[0]
    docs = f"Documentation, to try out in a browser: {reachable.removesuffix('/v1')}/docs"
    playground = f"Playground, with assistants to talk to: {reachable.removesuffix('/v1')}/playground"
    pages = [docs, playground] if settings().playground else [docs]
    return "\n".join([*notes, *pages, "", "Paste this into a second terminal:", "", example, ""])


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def main() -> int:
    """Run until SIGINT or SIGTERM; a second signal ends the grace period."""
    parser = argparse.ArgumentParser(prog="python -m assistants.local", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7071, help="0: any free one")
    parser.add_argument("--data", type=Path, default=Path(".data"), help="folder of Azurite's data")
    arguments = parser.parse_args()
    logs.configure()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        environment.load(Path("local.settings.json"))
        return asyncio.run(run(arguments.host, arguments.port, arguments.data))
    except KeyboardInterrupt:
        return 0
    except (azurite.AzuriteError, ValidationError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
