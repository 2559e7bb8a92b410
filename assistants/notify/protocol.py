"""SignalR's hub protocol in JSON, in the part that a sending server needs: records that end with 0x1E.

https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md
"""

import json
from typing import Any

HUB = "notificationhub"
"""The name of the hub."""

TARGET = "notification"
"""The name of the message, and of the client's function."""

END = "\x1e"


def _record(message: dict[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":")) + END


HANDSHAKE = _record({})
"""The answer to a client that has chosen the protocol."""

PING = _record({"type": 6})

CLOSE = _record({"type": 7, "allowReconnect": True})
"""The record that ends the connection, and allows the client to connect again."""


def invocation(argument: dict[str, str]) -> str:
    """The message with one argument."""
    return _record({"type": 1, "target": TARGET, "arguments": [argument]})
