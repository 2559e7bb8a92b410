"""What an assistant, a thread or a run lets its tools use: pure functions of tool resources (contract, 1.2)."""

from assistants.schema.tools import ToolResources


def store_ids(resources: ToolResources | None) -> list[str]:
    """The vector stores, of which there is one at most."""
    return (resources or {}).get("file_search", {}).get("vector_store_ids", [])
