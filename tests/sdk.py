"""The official SDK's own idea of what an answer looks like."""

import json
from typing import Any, TypeVar

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)


def strict(model: type[Model], payload: Any) -> Model:
    """The payload as the SDK's model, validated strictly: the SDK itself only constructs, and forgives all.

    Fields that the SDK does not know are allowed; a missing one, a null and a loose type where its type forbids them
    are not.
    """
    return model.model_validate_json(json.dumps(payload), strict=True)
