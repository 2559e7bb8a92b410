"""Repetition of a call until storage has recovered."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from assistants.storage.errors import TRANSIENT

log = logging.getLogger("assistants.storage")

_PAUSES = (1, 5, 15, 60, 120)
"""Seconds; together with the attempts themselves they stay within the ten minutes of a function."""


async def outlast(act: Callable[[], Awaitable[None]]) -> None:
    """Repeat the handling of a poison item until storage has recovered: it is not delivered again.

    Raises
    ------
    AzureError, Contended
        Storage has not recovered within three minutes and a half.
    """
    for pause in _PAUSES:
        try:
            return await act()
        except TRANSIENT as error:
            log.warning("tried again in %d s: %s", pause, error)
        await asyncio.sleep(pause)
    return await act()
