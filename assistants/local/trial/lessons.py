"""The learnt properties of an endpoint's models, in words for the operator: pure functions."""

from collections.abc import Iterator, Mapping

from assistants.model import remedies
from assistants.model.learnt import ModelLearnt
from assistants.state.runs import Turn

_PLACES: Mapping[str, str] = {
    remedies.ADJACENT: "Messages of one role in a row are sent as one.",
    remedies.CONTENT: "A message without text is sent with an empty one.",
    remedies.STRICT: "strict is left out of functions where it is false.",
    "stream": "Answers come whole: streaming is refused.",
    "stream_options": "stream_options is left out: tokens are estimated where the endpoint does not report them.",
    "dimensions": "dimensions is left out: longer vectors are cut to EMBEDDING_DIMENSIONS.",
    "encoding_format": "encoding_format is left out: vectors come as numbers.",
}


def of_chat(learnt: ModelLearnt) -> Iterator[str]:
    """The parameters that requests for answers omit or replace, and their limits."""
    yield from (_remedy(name, instead) for name, instead in sorted(learnt.remedies.items()))
    longest = learnt.longest()
    if longest is not None:
        yield f"Longer prompts than about {longest:,} tokens are refused: the oldest messages are left out."


def of_embeddings(learnt: ModelLearnt) -> Iterator[str]:
    """The parameters that requests for embeddings omit, and their limits."""
    yield from (_remedy(name, instead) for name, instead in sorted(learnt.remedies.items()))
    if learnt.batch_texts is not None:
        texts = "one text" if learnt.batch_texts == 1 else f"{learnt.batch_texts} texts"
        yield f"Embeddings are asked for {texts} at a time: more are refused."
    if learnt.batch_tokens is not None:
        yield f"Embeddings are asked for about {learnt.batch_tokens:,} tokens at a time: more are refused."
    longest = learnt.longest()
    if longest is not None:
        yield (
            f"Of a longer text, the first {longest:,} tokens or so are embedded: more are refused. Let chunks have no "
            "more, with max_chunk_size_tokens in the chunking_strategy of files."
        )


def of_usage(turn: Turn) -> Iterator[str]:
    """Whether the endpoint reports usage."""
    if turn.finish == "stop" and turn.estimate is None:
        yield "Tokens are estimated: the endpoint reports none."


def _remedy(name: str, instead: str | None) -> str:
    if name in _PLACES:
        return _PLACES[name]
    if name == remedies.ROLE:
        return f"Instructions are sent with the role {instead}, in place of system."
    if name.startswith("messages."):
        field = name.removeprefix("messages.")
        if instead is None:
            return f"{field} of earlier answers is not given back: it is refused."
        return f"{field} is sent empty with earlier answers that have none."
    if instead is not None:
        return f"{name} is sent as {instead}."
    return f"{name} is left out where it has its default. A run that sets it to another value fails."
