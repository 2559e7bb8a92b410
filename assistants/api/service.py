"""What a process needs to answer requests and attend to queue items, opened on first use."""

import asyncio
import weakref
from dataclasses import dataclass

from assistants.engine.attendance import Attendance
from assistants.engine.endpoint import Endpoint
from assistants.settings import settings
from assistants.state.store import Store


@dataclass(frozen=True)
class Service:
    """The store and the engine, as the settings have them."""

    store: Store
    endpoint: Endpoint
    attendance: Attendance

    @classmethod
    def open(cls) -> "Service":
        """
        Raises
        ------
        NotConfigured
            The settings name no storage account.
        pydantic.ValidationError
            A setting is out of its range.
        """
        store, endpoint = Store.open(settings()), Endpoint(settings())
        return cls(store, endpoint, Attendance(store, endpoint))

    async def close(self) -> None:
        await self.endpoint.close()
        await self.store.close()


_services: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Service]" = weakref.WeakKeyDictionary()


def service() -> Service:
    """The service of the running event loop; its connections belong to that loop."""
    loop = asyncio.get_running_loop()
    if loop not in _services:
        _services[loop] = Service.open()
    return _services[loop]


async def close_service() -> None:
    """Close the running event loop's service, if it was ever used."""
    opened = _services.pop(asyncio.get_running_loop(), None)
    if opened is not None:
        await opened.close()
