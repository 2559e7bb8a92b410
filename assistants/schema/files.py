"""Files (contract, 6.1)."""

from typing import Annotated, Any, Literal

from pydantic import Field

from assistants.schema.base import NotNull, Request, Resource, Timestamp

UploadPurpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
FilePurpose = Literal[
    "assistants", "assistants_output", "batch", "batch_output", "fine-tune", "fine-tune-results", "vision",
    "user_data", "evals",
]  # fmt: skip


class FileExpiration(Request):
    """When a file expires: `seconds` after its creation. All values of a form are texts."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(strict=False, ge=3600, le=2_592_000)]


class CreateFile(Request):
    """A form to create a file; its `file` is the name only, as the content is read as a stream."""

    file: Annotated[str, Field(json_schema_extra={"format": "binary"})]
    purpose: UploadPurpose
    expires_after: NotNull[FileExpiration] = None


class File(Resource):
    """A file that was uploaded, or that the service made."""

    object: Literal["file"] = "file"
    purpose: FilePurpose
    filename: str
    bytes: int
    created_at: Timestamp
    expires_at: Timestamp | None = None
    status: Literal["uploaded", "processed", "error"] = "processed"
    status_details: str | None = None


def form(model: type[Request]) -> dict[str, Any]:
    """The description in /openapi.json of a form that the route parses itself."""
    schema = model.model_json_schema()
    for name, value in schema.pop("$defs", {}).items():
        for field in schema["properties"].values():
            if field.get("$ref") == f"#/$defs/{name}":
                field |= value
                del field["$ref"]
    for field in schema["properties"].values():
        if field.get("format") == "binary":
            del field["maxLength"]  # it is that of the name
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
