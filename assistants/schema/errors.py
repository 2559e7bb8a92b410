"""All errors of the API: one exception, and a constructor for each row of the catalogue (contract, 8)."""

from collections.abc import Iterable, Mapping, Sequence

from assistants.schema.base import Object

MAX_SHOWN = 8_192
"""The most characters of a client's text that a message or a param quotes."""


class Error(Object):
    """An error in OpenAI's format; also the data of a stream's `error` event."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorResponse(Object):
    """The body of every error."""

    error: Error


class GatewayErrorDetails(Object):
    """The details of an error of Azure's gateway."""

    code: str
    message: str


class GatewayErrorResponse(Object):
    """The body of an error of Azure's gateway (contract, 10)."""

    error: GatewayErrorDetails


class ApiError(Exception):
    """An error in the form of an answer."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        type: str = "invalid_request_error",  # noqa: A002
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = _sendable(message)
        self.param = _sendable(param) if param else param
        self.code = code
        self.type = type
        self.headers = dict(headers or {})

    def body(self) -> dict[str, dict[str, str | None]]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class GatewayError(ApiError):
    """An error of Azure's gateway, which is in front of the service and has a format of its own (contract, 10)."""

    def body(self) -> dict[str, dict[str, str | None]]:
        return {"error": {"code": str(self.status), "message": self.message}}


def _sendable(text: str) -> str:
    return text[:MAX_SHOWN].encode(errors="replace").decode()


def missing_key() -> ApiError:
    """No key was sent."""
    return ApiError(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
        "(i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing "
        "the API from your browser and are prompted for a username and password. You can obtain an API key from "
        "https://platform.openai.com/account/api-keys.",
    )


def incorrect_key(key: str) -> ApiError:
    """The key is wrong. The message has its first five and last two characters, of a short key none."""
    shown = f"{key[:5]}***{key[-2:]}" if len(key) >= 16 else "***"
    return ApiError(
        401,
        f"Incorrect API key provided: {shown}. "
        "You can find your API key at https://platform.openai.com/account/api-keys.",
        code="invalid_api_key",
    )


def keys_not_configured() -> ApiError:
    """The service has no keys, but listens to other machines: its operator has to configure keys."""
    return ApiError(
        401,
        "This service accepts no requests yet: its operator has to set API_KEYS, for example KEY=default.",
        code="invalid_api_key",
    )


def missing_beta() -> ApiError:
    """The beta header is required and was not sent."""
    return ApiError(
        400,
        "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
        "Please try again by setting the header 'OpenAI-Beta: assistants=v2'.",
        code="invalid_beta",
    )


def malformed_beta(header: str) -> ApiError:
    """The beta header is not a list of `name=version`."""
    return ApiError(
        400,
        f"Invalid beta header provided: '{header}'. The header should be in the format 'OpenAI-Beta: example_beta=v1'.",
        code="invalid_beta",
    )


def unknown_beta(beta: str) -> ApiError:
    """A beta other than `assistants`, by its name."""
    return ApiError(400, f"Unknown beta requested: '{beta}'.", code="invalid_beta")


def not_found(kind: str, id: str) -> ApiError:  # noqa: A002
    """`kind` is a word of the message: assistant, thread, run, run step, message, vector store, or file."""
    if kind == "file":
        return ApiError(404, f"No such File object: {id}", param="id")
    return ApiError(404, f"No {kind} found with id '{id}'.")


def not_in_store(kind: str, id: str, store_id: str) -> ApiError:  # noqa: A002
    """A vector store has no such file or file batch (`kind`); the vector store exists."""
    return ApiError(404, f"No {kind} found with id '{id}' in vector store '{store_id}'.")


def store_expired(store_id: str) -> ApiError:
    """A vector store was not used for the days of its `expires_after`."""
    return ApiError(400, f"Vector store '{store_id}' has expired.")


def store_full(store_id: str, most: int) -> ApiError:
    """A vector store would have more files than it may."""
    return ApiError(400, f"Vector store '{store_id}' cannot hold more than {most} files.")


def unknown_url(method: str, path: str) -> ApiError:
    """No route has this path."""
    return ApiError(404, f"Invalid URL ({method} {path})")


def wrong_method(method: str, path: str) -> ApiError:
    """The path has routes, but not with this method."""
    return ApiError(405, f"Invalid method for URL ({method} {path})")


def access_denied() -> ApiError:
    """No key or a wrong one, in the Azure flavour."""
    return GatewayError(
        401,
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
        "active subscription and use a correct regional API endpoint for your resource.",
    )


def resource_not_found() -> ApiError:
    """No such route, method or api version, in the Azure flavour."""
    return GatewayError(404, "Resource not found")


def invalid_token(why: str) -> ApiError:
    """An access token of Entra ID that is not accepted; `why` has no full stop."""
    return ApiError(401, f"The access token is not accepted: {why}.", code="invalid_token")


def token_without_project() -> ApiError:
    """A valid access token of an identity that has no project here."""
    return ApiError(
        403,
        "The access token is valid, but its identity has no project here: the operator of this service has to name one "
        "of its claims in ENTRA_PROJECTS.",
        code="token_without_project",
    )


def groups_not_listed() -> ApiError:
    """A valid access token of an identity with too many groups for a token, where its groups would decide."""
    return ApiError(
        403,
        "The access token does not list the groups of its identity, as there are too many. The operator of this "
        "service has to name one of its roles in ENTRA_PROJECTS, or to have tokens list the application's groups only.",
        code="groups_not_listed",
    )


def hosted_tool(tool: str, param: str, instead: str) -> ApiError:
    """A tool that Azure executes; `instead` names this service's alternative."""
    return ApiError(
        400,
        f"The tool '{tool}' is hosted by Azure AI Agents, and this service does not have it. Use {instead}.",
        param=param,
        code="unsupported_tool",
    )


def unreachable_data(param: str) -> ApiError:
    """Data in Azure's storage, which only Azure reaches."""
    return ApiError(
        400,
        f"This service cannot read the data sources in '{param}', which lie in storage of Azure AI. Upload the files "
        "and name them by 'file_id' or 'file_ids' instead.",
        param=param,
        code="unsupported_data_source",
    )


def malformed_json() -> ApiError:
    """The body is not JSON."""
    return ApiError(
        400,
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
        "library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have "
        "trouble figuring out how to fix this, please contact us through our help center at help.openai.com.)",
    )


def too_large() -> ApiError:
    """An object does not fit into one block of storage."""
    return ApiError(413, "The request is too large to be stored.", code="request_too_large")


def body_too_large(most: int) -> ApiError:
    """A body other than a form has more bytes than it may."""
    return ApiError(413, f"Maximum content size limit ({most}) exceeded.", code="request_too_large")


def body_too_many_values(most: int) -> ApiError:
    """A body has more values than are parsed."""
    message = f"Invalid request body: too many values. Expected at most {most} values in arrays and objects."
    return ApiError(400, message, code="invalid_value")


def thread_full(thread_id: str) -> ApiError:
    """The thread has reached the greatest size of a thread."""
    return ApiError(400, f"Thread {thread_id} is full: no more messages can be added to it.")


def file_too_large(param: str, most: int) -> ApiError:
    """A file, or a part of one, has more than `most` bytes."""
    message = f"Invalid '{param}': file too large. Expected a file with at most {most} bytes."
    return ApiError(413, message, param=param, code="file_above_max_size")


def malformed_form() -> ApiError:
    """The body is not the form that its content type declares."""
    return ApiError(400, "We could not parse the multipart form of your request.")


def download_refused(purpose: str) -> ApiError:
    """A file that cannot be downloaded, because of its purpose (contract, 6.1)."""
    return ApiError(400, f"Not allowed to download files of purpose: {purpose}")


def no_content(file_id: str) -> ApiError:
    """The file was imported, and its content was not."""
    return ApiError(404, f"File '{file_id}' was imported without its content.", param="id")


def import_refused(project: str) -> ApiError:
    """The keys of the project may not import."""
    return ApiError(403, f"Project '{project}' may not import: no key of API_KEYS is marked `{project}+import`.")


def range_not_satisfiable(size: int) -> ApiError:
    """A range that begins beyond the end."""
    headers = {"Content-Range": f"bytes */{size}"}
    return ApiError(416, "The requested range is not in the file.", code="invalid_range", headers=headers)


def upload_not_pending(status: str) -> ApiError:
    """The upload has ended."""
    return ApiError(400, f"Upload is not pending: its status is '{status}'.")


def upload_being_completed() -> ApiError:
    """Another request completes the upload with other parts."""
    return ApiError(400, "Upload is being completed already.")


def unknown_part(part_id: str) -> ApiError:
    """A part that does not belong to the upload."""
    message = f"Invalid 'part_ids': no part found with id '{part_id}'."
    return ApiError(400, message, param="part_ids", code="invalid_value")


def upload_mismatch(param: str, expected: object, got: object) -> ApiError:
    """The parts together differ from the client's value; `param` is bytes or md5."""
    message = f"The parts of the upload do not match its '{param}': expected {expected}, but got {got}."
    return ApiError(400, message, param=param, code="invalid_value")


def missing_parameter(param: str) -> ApiError:
    """A required field was left out."""
    return ApiError(400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def unknown_parameter(param: str) -> ApiError:
    """A field that the schema does not have."""
    return ApiError(400, f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")


def invalid_type(param: str, expected: str, got: str) -> ApiError:
    """A value of a wrong type; `expected` and `got` have their articles. Without a param the body itself is wrong."""
    subject = f"'{param}'" if param else "the request body"
    message = f"Invalid type for {subject}: expected {expected}, but got {got} instead."
    return ApiError(400, message, param=param or None, code="invalid_type")


def unsupported_value(param: str, value: str, supported: Sequence[str]) -> ApiError:
    """A value that is not among those of an enumeration."""
    message = f"Invalid value: '{value}'. Supported values are: {enumerated(supported, 'and')}."
    return ApiError(400, message, param=param, code="invalid_value")


def invalid_id(param: str, value: str, expected: str) -> ApiError:
    """`expected` completes "Expected an ID that", with its full stop."""
    return ApiError(
        400, f"Invalid '{param}': '{value}'. Expected an ID that {expected}", param=param, code="invalid_value"
    )


def invalid(param: str, problem: str, expected: str, code: str = "invalid_value") -> ApiError:
    """An invalid value: `problem` describes it in a few words, `expected` ends the message, without its full stop."""
    return ApiError(400, f"Invalid '{param}': {problem}. Expected {expected}.", param=param, code=code)


def exclusive_parameters(first: str, second: str) -> ApiError:
    """Two fields of which only one may be given."""
    return ApiError(
        400,
        f"Mutually exclusive parameters. Ensure you are only providing one of: '{first}' or '{second}'.",
        code="mutually_exclusive_parameters",
    )


def too_many_code_files(most: int, got: int) -> ApiError:
    """The code interpreter of a thread or an assistant would have more files than it may."""
    message = f"Too many files for the code interpreter: it may have {most}, but would have {got}."
    return ApiError(400, message, code="array_above_max_length")


def unsupported_files(suffixes: Iterable[str]) -> ApiError:
    """Files that cannot be searched were to be added to a vector store, by any route. OpenAI's words."""
    shown = ", ".join(dict.fromkeys(suffix or "none" for suffix in suffixes))
    return ApiError(
        400,
        f"Files with extensions [{shown}] are not supported for retrieval. "
        "See https://platform.openai.com/docs/assistants/tools/file-search/supported-files",
        param="file_ids",
        code="unsupported_file",
    )


def unsupported_image_file(supported: Sequence[str], suffix: str) -> ApiError:
    """A message has an image file whose name is not that of an image. OpenAI's words."""
    message = f"Invalid message content: Expected file type to be a supported format: {', '.join(supported)}"
    return ApiError(400, f"{message} but got {suffix or 'none'}.")


def unsupported_image() -> ApiError:
    """A message has an image file with the name of an image that is none, or is too large. OpenAI's words."""
    return ApiError(
        400,
        "You uploaded an unsupported image. Please make sure your image is below 20 MB in size and is of one the "
        "following formats: ['png', 'jpeg', 'gif', 'webp'].",
        code="invalid_image_format",
    )


def helper_without_files() -> ApiError:
    """A vector store helper without files (contract, 1.2)."""
    return ApiError(400, "file_search tool configuration is invalid. file_ids must be non-empty")


def thread_locked(thread_id: str, run_id: str) -> ApiError:
    """No message can be added during a run."""
    return ApiError(400, f"Can't add messages to {thread_id} while a run {run_id} is active.")


def run_already_active(thread_id: str, run_id: str) -> ApiError:
    """The thread has an active run already."""
    return ApiError(400, f"Thread {thread_id} already has an active run {run_id}.")


def nothing_to_run_on() -> ApiError:
    """A run has neither a user message nor instructions."""
    return ApiError(
        400,
        "Run creation requires a Thread with a user message or an assistant with instructions.",
        code="invalid_thread",
    )


def outputs_not_accepted(status: str) -> ApiError:
    """Outputs were submitted to a run that does not wait for them."""
    return ApiError(400, f'Runs in status "{status}" do not accept tool outputs.')


def outputs_mismatch(expected: Sequence[str], got: Sequence[str]) -> ApiError:
    """The submitted outputs are not those of all pending calls."""
    return ApiError(400, f"Expected tool outputs for call_ids {list(expected)}, got {list(got)}")


def cannot_cancel(status: str) -> ApiError:
    """The run has ended or is being cancelled already."""
    return ApiError(400, f"Cannot cancel run with status '{status}'.")


def cannot_update(status: str) -> ApiError:
    """v1 only: a run of v2 may be modified in every state."""
    return ApiError(400, f"Cannot update run with status '{status}'.")


def server_error(request_id: str) -> ApiError:
    """The service itself has failed."""
    return ApiError(
        500,
        "The server had an error processing your request. Sorry about that! You can retry your request, or contact "
        "us through our help center at help.openai.com if you keep seeing this error. "
        f"(Please include the request ID {request_id} in your email.)",
        type="server_error",
    )


def unavailable(retry_after: int = 1) -> ApiError:
    """Storage does not answer, or not in time; the client may repeat the request after `retry_after` seconds."""
    return ApiError(
        503,
        "The server is currently unable to process your request. Sorry about that! Please retry your request.",
        type="server_error",
        headers={"Retry-After": str(retry_after)},
    )


def unreachable(service: str) -> ApiError:
    """The service behind this one does not answer, or its answer broke off."""
    return ApiError(502, f"{service} could not be reached. Please retry your request.", type="server_error")


def key_refused(service: str, message: str) -> ApiError:
    """The service behind this one refuses this service's key. The caller's key is right, so a repetition is useless."""
    return _upstream(f"{service} refused the key of this service" + (f": {message}" if message else "."))


def unusable(service: str, why: str) -> ApiError:
    """The answer of the service behind this one cannot be passed on; `why` has no full stop."""
    return _upstream(f"{service} gave an answer that cannot be passed on: {why}.")


def stored_responses(param: str | None) -> ApiError:
    """A request uses stored responses (`param`); several projects share one endpoint, which stores them together."""
    return ApiError(
        403,
        "Stored responses are not available: several projects share this service, and their responses are stored "
        "together. Send the whole input with each request instead, with 'store' set to false.",
        param=param,
        code="stored_responses_not_available",
    )


def timed_out(service: str) -> ApiError:
    """The service behind this one has not answered for too long."""
    return ApiError(504, f"{service} did not answer in time. Please retry your request.", type="server_error")


def enumerated(values: Sequence[str], conjunction: str) -> str:
    """`'a'`, `'a' and 'b'`, or `'a', 'b', and 'c'`."""
    *others, last = [f"'{value}'" for value in values]
    return f"{', '.join(others)}{',' * (len(others) > 1)} {conjunction} {last}" if others else last


def _upstream(message: str) -> ApiError:
    """An error that is the same for every repetition; the header keeps clients from repeating the request."""
    return ApiError(502, message, type="server_error", headers={"x-should-retry": "false"})
