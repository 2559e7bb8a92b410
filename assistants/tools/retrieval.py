"""The fake retrieval tool: whatever is asked, the answer is Oslo."""

import asyncio

from assistants.tools.servertool import Question, ServerTool


async def answer(question: Question) -> str:
    """Oslo, after the delay that the settings ask for."""
    await asyncio.sleep(question.store.settings.retrieval_delay)
    return "Oslo"


RETRIEVAL = ServerTool(
    type="retrieval",
    queue="retrieval",
    description="Looks up what the assistant's files say about a question.",
    parameters={
        "type": "object",
        "properties": {"q": {"type": "string", "description": "The question to look up."}},
        "required": ["q"],
    },
    answer=answer,
)
