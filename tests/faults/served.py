"""The whole service in this process, composed as in `function_app`, with one injected fault and short timeouts."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import function_app
from assistants import service as services
from assistants.ingestion import intake
from assistants.local.pump import Pump, QueueFunction, QueueOptions, queue_functions
from assistants.model.embedding import EndpointEmbedder
from assistants.model.endpoint import Endpoint
from assistants.notify import webhooks
from assistants.notify.items import WEBHOOKS
from assistants.service import Service
from assistants.settings import settings
from assistants.state import post
from assistants.state.store import Store
from assistants.storage.connection import queue_service
from assistants.tools.code_interpreter import execution
from assistants.tools.code_interpreter.engine import Call, Execution, Logs, OutputFile
from assistants.tools.code_interpreter.files import only
from tests.faults.journal import Journal
from tests.faults.points import Fault, FaultInjector, KillableChild, Point, Receiver, Script
from tests.support.storage.calls import tapped

SETTINGS = {
    "OPENAI_BASE_URL": "http://model.invalid/v1",
    "OPENAI_API_KEY": "test",
    "LOOK_AGAIN": "3",
    "CLAIM": "3",
    "PURGE_AGAIN": "1",
    "STORAGE_TIMEOUT": "1.5",
    "STORAGE_BACKOFF": "0.02",
    "MODEL_TIMEOUT": "1",
}

DELAYS = (
    (post, "PURGE_DELAY"),
    (intake, "_SWEEP_DELAY"),
    (intake, "_COMMIT_WITHIN"),
    (execution, "_BESIDES"),
    (webhooks, "FIRST_PAUSE"),
    (webhooks, "TIMEOUT"),
)
"""Times that are no settings, two seconds in a try: longer than a call that hangs once."""

NET = 60.0
"""Seconds within which every flow has ended, after any fault: far more than it takes."""

LEASE = 3.0
"""Seconds after which an item that a killed process had received appears again."""


class Counted:
    """An engine that records each execution, and outputs a file and variables."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def execute(self, call: Call) -> Execution:
        self._journal.write("executed", id=call.id)
        file = OutputFile("a.csv", 3, lambda: only(b"a,b"))
        return Execution([Logs("3\n")], [file], snapshot=b"variables")

    async def end(self, session: str) -> None:
        self._journal.write("ended session", session=session)

    async def close(self) -> None:
        """Do nothing, as no connection is open."""


async def _webhooks(item: Any) -> None:
    """The queue function of an app whose settings have a webhook."""
    await services.service().webhooks.handle(item.get_body())


FUNCTIONS = [
    *(
        function
        for function in queue_functions(function_app.app.get_functions())
        if not function.queue.endswith("-poison")
    ),
    QueueFunction(WEBHOOKS, WEBHOOKS, "item", _webhooks),
]
OPTIONS = QueueOptions(max_polling_interval=0.4, visibility_timeout=1)


class Job(NamedTuple):
    """A try: its flow, its project and storage account, and its fault point, if it has one."""

    flow: str
    project: str
    storage: str
    queues: list[str]
    fault: str | None = None
    call: str = ""
    nth: int = 0


class Served(NamedTuple):
    """The service, and its parts that a try uses."""

    injector: FaultInjector
    script: Script
    pump: Pump
    beside: Store
    """Reads storage without the service and its fault."""


@asynccontextmanager
async def serving(job: Job, journal: Journal, **own: str) -> AsyncIterator[Served]:
    """The service, with the settings of a try and its flow's own, in which PROJECT stands for the try's.

    Its queues are not handled until the pump is started.
    """
    settings.cache_clear()
    own = {name: value.replace("PROJECT", job.project) for name, value in own.items()}
    of_the_try = {"AzureWebJobsStorage": job.storage, "API_KEYS": f"{job.project}={job.project}"}
    with patch.dict(os.environ, {**SETTINGS, **of_the_try, **own}):
        settings()  # cached until the next try
    for module, name in DELAYS:
        setattr(module, name, 2)
    point, fault = (Point(job.call, job.nth), Fault(job.fault)) if job.fault else (None, None)
    injector = FaultInjector(point, fault, lambda: journal.write("struck"))
    script = Script(injector)
    store, endpoint = Store.open(settings(), tapped(injector.storage)), Endpoint(settings(), script)
    receiver = Receiver(injector, lambda event: journal.write("told", event=event))
    service = Service.over(
        store,
        endpoint,
        EndpointEmbedder(settings(), endpoint),
        start=KillableChild.start_at(injector),
        webhooks=receiver,
        engine=Counted(journal),
    )
    services._services[asyncio.get_running_loop()] = service
    unhurried = settings().model_copy(update={"storage_timeout": NET})
    beside, queues = Store.open(unhurried), queue_service(unhurried)
    pump = Pump([each for each in FUNCTIONS if each.queue in job.queues], queues, OPTIONS, LEASE)
    if journal.is_new:
        for queue in job.queues:
            await queues.client.get_queue_client(queue).clear_messages()
    try:
        yield Served(injector, script, pump, beside)
    finally:
        await pump.stop(0)
        await services.close_service()
        await asyncio.gather(beside.close(), queues.close())
