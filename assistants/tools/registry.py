"""Every server tool, by its type."""

from collections.abc import Mapping

from assistants.tools.code_interpreter.tool import CODE_INTERPRETER
from assistants.tools.file_search import FILE_SEARCH
from assistants.tools.retrieval import RETRIEVAL
from assistants.tools.servertool import ServerTool

SERVER_TOOLS: Mapping[str, ServerTool] = {tool.type: tool for tool in (RETRIEVAL, FILE_SEARCH, CODE_INTERPRETER)}

QUEUES = sorted({tool.queue for tool in SERVER_TOOLS.values()})
"""The queues of the server tools."""
