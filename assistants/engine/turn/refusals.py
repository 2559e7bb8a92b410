"""Whether a prompt was refused for its length: pure functions of the endpoint's error."""

import re

from typing_extensions import TypeIs

from assistants.model.errors import Refused

_TOO_LONG = re.compile(
    r"context.{0,12}(length|window|size)|maximum.{0,20}tokens|too many (input |prompt )?tokens"
    r"|(prompt|input|inputs|messages?|conversation|request|body|payload|entity)\b.{0,30}\btoo (long|large|big)"
    r"|(token|context|length|size)s?\b.{0,30}\b(limit|exceed|maximum)|exceed.{0,60}\b(tokens?|context|length|limit)\b"
    r"|(less|fewer|more|longer|greater) than [\d,.]+ ?k? ?(tokens|characters)"
    r"|reduce (the|your) (length|size|prompt|input)|\bn_ctx\b|max_model_len|max_(input|prompt)_(tokens|length)",
    re.I | re.S,
)

_EXPLAINED = re.compile(
    r"\bmodel\b.{0,60}(not|n't|unknown|invalid|unsupported)|(unknown|invalid|unsupported|no such) model|deployment"
    r"|api.?key|credential|auth|permission|billing|credits?\b|quota|balance|payment|rate.?limit"
    r"|content.?(policy|filter|management)|safety|moderat|harm|flagged|image|vision|audio|multi-?modal|file"
    r"|tools?\b|function|schema|json|parse|parameter|argument|property|propert|field|extra inputs|alternat|\broles?\b"
    r"|temperature|top_p|response_format|max_(completion_)?tokens|reasoning|thinking|signature|stream|unsupported"
    r"|not supported|not (found|exist|allowed|enabled|available)|unknown|unrecognized",
    re.I | re.S,
)
"""Words of refusals that a shorter prompt would not avoid."""

_CODES = re.compile(r"model|key|auth|quota|billing|content_?(filter|policy)|deployment|unsupported|unknown|image", re.I)
_ABOUT_PROMPT = {"messages", "prompt", "input", "inputs", "content", "contents"}


def too_long(trouble: Exception) -> bool:
    """Whether the endpoint says that the prompt is too long."""
    if not _may_be(trouble):
        return False
    return trouble.code == "context_length_exceeded" or (
        not _about_something_else(trouble) and bool(_TOO_LONG.search(str(trouble)))
    )


def may_be_too_long(trouble: Exception) -> bool:
    """Whether the prompt may be too long, as the refusal gives no other reason."""
    if not _may_be(trouble) or _about_something_else(trouble):
        return False
    return not _CODES.search(trouble.code or "") and not _EXPLAINED.search(str(trouble))


def _may_be(trouble: Exception) -> TypeIs[Refused]:
    return isinstance(trouble, Refused) and trouble.status in (400, 413, 422)


def _about_something_else(trouble: Refused) -> bool:
    """Whether the refusal names a parameter other than the prompt."""
    names = {name for name in trouble.params if not name.isdigit()}
    return bool(names) and not names & _ABOUT_PROMPT
