"""Outlasting a trouble of storage where nothing comes after."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from azure.core.exceptions import AzureError

log = logging.getLogger("assistants.storage")

_PAUSES = (1, 5, 15, 60, 120)
"""Seconds; together with what the attempts take they stay within a function's ten minutes."""


async def patiently(act: Callable[[], Awaitable[None]]) -> None:
    """Nothing comes after a poison item's handler: it outlasts a trouble of storage for some minutes by itself."""
    for pause in _PAUSES:
        try:
            return await act()
        except AzureError as error:
            log.warning("tried again in %d s: %s", pause, error)
        await asyncio.sleep(pause)
    return await act()
