"""The messages of a log, folded by a plain algorithm, with which the outlines and the index are compared."""

import json
from collections.abc import Sequence
from typing import Any

from assistants.schema.messages import Message


class Fold:
    """The messages of a log's records: an id keeps its first put, an update replaces fields, a delete is final.

    A deleted message keeps its place, so that it can still be a cursor.
    """

    def __init__(self, content: Sequence[bytes]) -> None:
        self._messages: dict[str, dict[str, Any] | None] = {}
        for segment in content:
            for line in segment.splitlines():
                self._take(json.loads(line))

    def _take(self, record: dict[str, Any]) -> None:
        if put := record.get("put"):
            self._messages.setdefault(put["id"], put)
        elif update := record.get("update"):
            if message := self._messages.get(update["id"]):
                message.update(update)
        else:
            self._messages[record["delete"]] = None

    def __contains__(self, message_id: str) -> bool:
        """Whether the message was ever put, deleted or not."""
        return message_id in self._messages

    def get(self, message_id: str) -> Message | None:
        message = self._messages.get(message_id)
        return Message.model_validate(message) if message else None

    def messages(self) -> list[Message]:
        """The messages that are not deleted, oldest first."""
        return [Message.model_validate(message) for message in self._messages.values() if message]

    def raw(self) -> list[tuple[str, dict[str, Any] | None]]:
        """Ids and messages in the order of the log, oldest first; None for a deleted one."""
        return list(self._messages.items())
