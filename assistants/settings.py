"""Every setting of the service: its name in the environment, its default and its purpose."""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self, cast
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, AliasChoices, BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PROJECT = "[A-Za-z0-9_-]{1,63}"
"""The pattern of a project's name."""

MAY_IMPORT = "+import"
"""The suffix of a project that may import, in `API_KEYS`."""

_GUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_CLAIM = re.compile(rf"\*|(oid|groups|appid)={_GUID}|roles=[!-~]+")
_AUTHORITY = r"^(https://[!-~]*[^/\s]|http://(127\.0\.0\.1|localhost)(:\d+)?)$"
_HASHED_KEY = re.compile(r"sha256:[0-9a-f]{64}")
_TIMEOUT = r"^(-1|(\d+\.)?\d\d?:\d\d:\d\d)$"
_HOST = Path(__file__).parents[1] / "host.json"
_ROOM = 10
"""Seconds that a queue function needs after the end of a run."""

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:(\d+|\*))?", re.IGNORECASE)
_SENDABLE = re.compile(r"[!-~]([ -~]*[!-~])?")
_NOT_SENDABLE = "a key has printable ASCII characters only, and no space or line break at its ends"


def _sendable(key: SecretStr) -> SecretStr:
    """A key that fits into a header, as otherwise all requests would fail; an empty one counts as unset."""
    if key.get_secret_value() and not _SENDABLE.fullmatch(key.get_secret_value()):
        raise ValueError(_NOT_SENDABLE)
    return key


Key = Annotated[SecretStr, AfterValidator(_sendable)]


class Webhook(BaseModel, extra="forbid", hide_input_in_errors=True):
    """Where the events of a project are sent, and the secret that signs them: `whsec_` and the key in base64.

    While a secret is replaced there are two, the new one and the old one with a space between them.
    """

    url: Annotated[str, Field(pattern=r"^https?://[!-~]+$")]
    secret: SecretStr

    @property
    def host(self) -> str:
        return (urlsplit(self.url).hostname or "").lower()

    @property
    def keys(self) -> list[str]:
        """The secrets one by one."""
        return self.secret.get_secret_value().split(" ")

    @field_validator("secret")
    @classmethod
    def _is_a_key(cls, secret: SecretStr) -> SecretStr:
        for text in secret.get_secret_value().split(" "):
            try:
                length = len(base64.b64decode(text.removeprefix("whsec_"), validate=True))
            except binascii.Error:
                length = 0
            if not text.startswith("whsec_") or not 24 <= length <= 64:
                raise ValueError("a secret is whsec_ and the base64 of 24 to 64 bytes")
        return secret


class SignalRConnection(BaseModel, frozen=True):
    """Azure SignalR Service: its endpoint, and its key unless the identity of the process is used."""

    endpoint: Annotated[str, Field(pattern="^https?://[!-~]+$")]
    key: Annotated[str | None, Field(repr=False)] = None

    @classmethod
    def parsed(cls, text: str) -> "SignalRConnection":
        """Parse a connection string, or an endpoint."""
        if "=" not in text:
            return cls(endpoint=text.rstrip("/"))
        parts = {name.strip().lower(): value for name, _, value in (each.partition("=") for each in text.split(";"))}
        if parts.get("port"):
            parts["endpoint"] = f"{parts.get('endpoint', '').rstrip('/')}:{parts['port']}"
        return cls(endpoint=parts.get("endpoint", "").rstrip("/"), key=parts.get("accesskey") or None)


class Settings(BaseSettings):
    """Read from the environment; an empty value counts as not set.

    Raises
    ------
    pydantic.ValidationError
        A value is out of its range; the message names the setting.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    # Storage. The names are those of the Functions host, whose triggers read the same settings.
    storage: Key | None = Field(
        None,
        validation_alias=AliasChoices("AzureWebJobsStorage", "BlobConnectionString"),
        description="connection string of the storage account",
    )
    storage_account: str | None = Field(
        None,
        validation_alias="AzureWebJobsStorage__accountName",
        description="storage account, reached by identity instead of a connection string",
    )
    storage_blob_uri: str | None = Field(
        None,
        validation_alias=AliasChoices("AzureWebJobsStorage__blobServiceUri", "AzureWebJobsStorage__serviceUri"),
        description="blob endpoint, where it is not the account's default",
    )
    storage_queue_uri: str | None = Field(
        None,
        validation_alias="AzureWebJobsStorage__queueServiceUri",
        description="queue endpoint, where it is not the account's default",
    )
    storage_credential: str | None = Field(
        None,
        validation_alias="AzureWebJobsStorage__credential",
        description="`managedidentity` to use only the managed identity",
    )
    storage_client_id: str | None = Field(
        None,
        validation_alias="AzureWebJobsStorage__clientId",
        description="client id of a user-assigned identity",
    )
    storage_timeout: Annotated[float, Field(gt=0)] = Field(
        10, validation_alias="STORAGE_TIMEOUT", description="seconds one storage call may take before it is retried"
    )
    storage_backoff: Annotated[float, Field(gt=0)] = Field(
        0.5,
        validation_alias="STORAGE_BACKOFF",
        description="seconds after which a storage call that failed is retried; three times as long each time",
    )
    log_segment_blocks: Annotated[int, Field(ge=1, le=50_000)] = Field(
        49_000,
        validation_alias="LOG_SEGMENT_BLOCKS",
        description="appends after which a message log gets a new segment",
    )

    thread_cache_bytes: Annotated[int, Field(ge=0)] = Field(
        64 * 1024 * 1024,
        validation_alias="THREAD_CACHE_BYTES",
        description="bytes of threads' message logs that a process keeps in memory between two requests",
    )
    max_thread_bytes: Annotated[int, Field(ge=1024)] = Field(
        1024 * 1024 * 1024,
        validation_alias="MAX_THREAD_BYTES",
        description="bytes of a thread's message log from which on it takes no more messages",
    )

    # The model.
    openai_api_key: Key | None = Field(
        None,
        validation_alias=AliasChoices("OPENAI_API_KEY", "OpenAIKey"),
        description="key of the chat-completions endpoint",
    )
    openai_base_url: str | None = Field(
        None, validation_alias="OPENAI_BASE_URL", description="chat-completions endpoint; default: OpenAI's own"
    )
    azure_openai_endpoint: str | None = Field(
        None, validation_alias="AZURE_OPENAI_ENDPOINT", description="Azure OpenAI resource to use instead"
    )
    azure_openai_api_key: Key | None = Field(
        None,
        validation_alias="AZURE_OPENAI_API_KEY",
        description="its key; without one the managed identity is used",
    )
    azure_openai_api_version: str = Field(
        "2024-10-21",
        validation_alias=AliasChoices("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION"),
        description="its api version",
    )
    azure_client_id: str | None = Field(
        None,
        validation_alias="AZURE_CLIENT_ID",
        description="client id of the identity used for Azure OpenAI, Azure SignalR Service and the session pool",
    )
    model_map: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict[str, str],
        validation_alias="MODEL_MAP",
        description="the endpoint's names of the models that assistants name: `gpt-4o=deployment-a,*=deployment-b`",
    )
    model: str | None = Field(
        None,
        validation_alias=AliasChoices("MODEL", "DeploymentOrModelName"),
        description="short for `*=` in `MODEL_MAP`",
    )
    model_context: Annotated[dict[str, Annotated[int, Field(ge=1)]], NoDecode] = Field(
        default_factory=dict[str, int],
        validation_alias="MODEL_CONTEXT",
        description="tokens of the models' contexts, where the service does not know better: `gpt-4o=128000,*=32000`",
    )
    model_timeout: Annotated[float, Field(gt=0)] = Field(
        120, validation_alias="MODEL_TIMEOUT", description="seconds the model may be silent before a call is given up"
    )

    model_retries: Annotated[int, Field(ge=0, le=20)] = Field(
        5,
        validation_alias="MODEL_RETRIES",
        description="how often a call of a busy or failing model is retried, within the run's lifetime",
    )

    pass_through: bool = Field(
        True,
        validation_alias="PASS_THROUGH",
        description="`false`: `/v1/models`, `chat/completions`, `embeddings` and `responses` are not served",
    )

    # The backend.
    backend: Literal["blob", "proxy"] = Field(
        "blob",
        validation_alias="BACKEND",
        description="`proxy`: every call goes to another Assistants endpoint, and what it answers is checked",
    )
    proxy_base_url: Annotated[str, Field(pattern="^https?://")] | None = Field(
        None, validation_alias="PROXY_BASE_URL", description="that endpoint's base URL, with `/v1` or `/openai/v1`"
    )
    proxy_api_key: Key | None = Field(
        None, validation_alias="PROXY_API_KEY", description="its key; without one the caller's own is passed on"
    )
    proxy_timeout: Annotated[float, Field(gt=0)] = Field(
        120,
        validation_alias="PROXY_TIMEOUT",
        description="seconds it may be silent before a call is given up",
    )

    # The callers.
    api_keys: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict[str, str],
        validation_alias="API_KEYS",
        repr=False,
        description=(
            "accepted keys, each with its project: `KEY=project,sha256:HEX=project`; `project+import` may import"
        ),
    )

    entra_tenant: Annotated[str, Field(pattern=f"^{_GUID}$")] | None = Field(
        None,
        validation_alias="ENTRA_TENANT",
        description="id of the tenant of Entra ID whose access tokens are accepted beside keys",
    )
    entra_audience: str = Field(
        "https://ai.azure.com",
        validation_alias="ENTRA_AUDIENCE",
        description="audiences, separated by commas, of which such a token has one",
    )
    entra_projects: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict[str, str],
        validation_alias="ENTRA_PROJECTS",
        repr=False,
        description=(
            "the project of a token, by its first claim in this list: `oid=ID=project,roles=NAME=project,*=project`; "
            "also `groups=ID` and `appid=ID`"
        ),
    )
    entra_authority: Annotated[str, Field(pattern=_AUTHORITY)] = Field(
        "https://login.microsoftonline.com",
        validation_alias="ENTRA_AUTHORITY",
        description="the authority that publishes the tenant's keys; another one in national clouds",
    )

    cors_origins: Annotated[list[str], NoDecode] = Field(
        default_factory=list[str],
        validation_alias="CORS_ORIGINS",
        description="origins whose pages may call, such as `https://app.example.com`; port `*`: any; `*`: all origins",
    )
    require_beta_header: bool = Field(
        False,
        validation_alias="REQUIRE_BETA_HEADER",
        description="`true`: assistants and threads need `OpenAI-Beta: assistants=v2`, as OpenAI had it",
    )

    max_json_bytes: Annotated[int, Field(ge=1024)] = Field(
        16 * 1024 * 1024,
        validation_alias="MAX_JSON_BYTES",
        description="bytes of the largest request that is not a form; a larger one is refused before it is parsed",
    )

    # Runs and threads; times in seconds.
    runs_driven_by: Literal["queue", "creator"] = Field(
        "queue",
        validation_alias="RUNS_DRIVEN_BY",
        description=(
            "which process drives a run that is not streamed: `creator`, the one that created it (default of the local "
            "runner), or `queue`, a queue function"
        ),
    )
    run_lifetime: Annotated[float, Field(gt=0)] = Field(
        590,
        validation_alias="RUN_LIFETIME",
        description="seconds from a run's creation to its `expires_at`; at least 10 less than `functionTimeout`",
    )
    function_timeout: Annotated[str, Field(pattern=_TIMEOUT)] | None = Field(
        None,
        validation_alias="AzureFunctionsJobHost__functionTimeout",
        description="the host's time-out of a queue function, `hh:mm:ss`, in place of the one in host.json; `-1`: none",
    )
    look_again: Annotated[float, Field(gt=0, le=60)] = Field(
        60, validation_alias="LOOK_AGAIN", description="seconds after which a run's progress is looked at again"
    )
    claim: Annotated[float, Field(gt=0, le=60)] = Field(
        30,
        validation_alias="CLAIM",
        description="seconds after which a claim on a run ends unless it is renewed",
    )
    purge_again: Annotated[float, Field(gt=0)] = Field(
        60, validation_alias="PURGE_AGAIN", description="seconds between two purges of a deleted thread"
    )

    # Retention.
    thread_ttl_days: Annotated[float, Field(gt=0, le=36_500)] | None = Field(
        None,
        validation_alias="THREAD_TTL_DAYS",
        description="days without use after which a thread is deleted; not set: never; OpenAI had 60",
    )
    file_ttl_days: Annotated[float, Field(gt=0, le=36_500)] | None = Field(
        None,
        validation_alias="FILE_TTL_DAYS",
        description="days without use after which a file is deleted; not set: never",
    )

    # Notifications.
    webhooks: Annotated[dict[str, Webhook], NoDecode] = Field(
        default_factory=dict[str, Webhook],
        validation_alias="WEBHOOKS",
        repr=False,
        description=(
            "where the events of a project are sent, as JSON: "
            '`{"PROJECT": {"url": "https://...", "secret": "whsec_..."}}`'
        ),
    )
    webhook_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="WEBHOOK_HOSTS",
        description="hosts, separated by commas, that webhooks may reach at private addresses, and by plain HTTP",
    )

    notifications: bool = Field(
        False,
        validation_alias="NOTIFICATIONS",
        description=(
            "`true`: the hub `/notificationhub` is there, and each state of a run is offered to those who listen "
            "(default of the local runner)"
        ),
    )
    signalr: Key | None = Field(
        None,
        validation_alias="SIGNALR_CONNECTION",
        description="connection string of Azure SignalR Service, or its endpoint, then reached by identity",
    )

    # Telemetry. The names are those of OpenTelemetry and of the Functions host.
    application_insights: Key | None = Field(
        None,
        validation_alias="APPLICATIONINSIGHTS_CONNECTION_STRING",
        description="connection string of Application Insights, which gets spans and metrics",
    )
    otlp_endpoint: Annotated[str, Field(pattern="^https?://[!-~]+$")] | None = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="base URL of a collector, which gets spans and metrics by OTLP over HTTP (protobuf)",
    )
    record_contents: bool = Field(
        False,
        validation_alias="OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        description="`true`: spans hold the contents of messages and tool calls",
    )

    playground: bool = Field(
        False,
        validation_alias="PLAYGROUND",
        description="`true`: the page `/playground` is there, which asks for a key (default of the local runner)",
    )

    # Files.
    max_file_bytes: Annotated[int, Field(ge=1, le=50_000 * 4 * 1024 * 1024)] = Field(
        512 * 1024 * 1024,
        validation_alias="MAX_FILE_BYTES",
        description="bytes of the largest file; `FUNCTIONS_REQUEST_BODY_SIZE_LIMIT` has to be a little larger",
    )
    refuse_assistants_downloads: bool = Field(
        False,
        validation_alias="REFUSE_ASSISTANTS_DOWNLOADS",
        description="`true`: files of the purpose `assistants` cannot be downloaded, as OpenAI had it",
    )

    reading_processes: Annotated[int, Field(ge=1, le=64)] = Field(
        2, validation_alias="READING_PROCESSES", description="child processes that read files, at most"
    )
    reading_memory_bytes: Annotated[int, Field(ge=256 * 1024 * 1024)] = Field(
        1024 * 1024 * 1024,
        validation_alias="READING_MEMORY_BYTES",
        description="bytes of address space that each of them may have, where the system knows such a limit",
    )

    # Search.
    embedding_model: str = Field(
        "text-embedding-3-large",
        validation_alias="EMBEDDING_MODEL",
        description="model of the embeddings, as `MODEL_MAP` knows it by its own name; `none`: keywords alone",
    )
    embedding_dimensions: Annotated[int, Field(ge=1, le=4096)] = Field(
        256,
        validation_alias="EMBEDDING_DIMENSIONS",
        description="length of the vectors that are searched; longer ones are cut off",
    )
    search_cache_bytes: Annotated[int, Field(ge=0)] = Field(
        512 * 1024 * 1024,
        validation_alias="SEARCH_CACHE_BYTES",
        description="bytes of vector stores that a process keeps in memory between two searches",
    )
    retrieval_handler: Literal["fake", "search"] | None = Field(
        None,
        validation_alias="RETRIEVAL_HANDLER",
        description="`fake`: v1's `retrieval` always answers Oslo; `search`: it searches; not set: it searches where "
        "there are files",
    )
    retrieval_delay: Annotated[float, Field(ge=0)] = Field(
        0, validation_alias="RETRIEVAL_DELAY", description="seconds the fake retrieval tool takes to answer"
    )

    # The code interpreter.
    code_interpreter: Literal["auto", "sessions", "local", "off"] = Field(
        "auto",
        validation_alias="CODE_INTERPRETER",
        description="what executes code: `sessions`, the pool; `local`, confined processes on Linux; `off`; `auto`: "
        "the pool where one is set, else confined processes under the local runner only",
    )
    code_interpreter_pool: Annotated[str, Field(pattern="^https?://")] | None = Field(
        None,
        validation_alias="CODE_INTERPRETER_POOL",
        description="`poolManagementEndpoint` of a session pool of Azure Container Apps, reached by identity",
    )
    code_interpreter_timeout: Annotated[float, Field(gt=0, le=220)] = Field(
        60, validation_alias="CODE_INTERPRETER_TIMEOUT", description="seconds that one call's code may take"
    )
    code_interpreter_memory: Annotated[int, Field(ge=512 * 1024 * 1024)] = Field(
        2 * 1024**3,
        validation_alias="CODE_INTERPRETER_MEMORY",
        description="bytes of address space of a confined process",
    )
    code_interpreter_disk: Annotated[int, Field(ge=1024 * 1024)] = Field(
        512 * 1024**2,
        validation_alias="CODE_INTERPRETER_DISK",
        description="bytes of the files of a confined process, which lie in memory; there may be 2,000 of them",
    )
    code_interpreter_files: Annotated[int, Field(ge=0, le=1000)] = Field(
        20, validation_alias="CODE_INTERPRETER_FILES", description="files that one call may put out"
    )
    code_interpreter_idle: Annotated[float, Field(gt=0)] = Field(
        1800,
        validation_alias="CODE_INTERPRETER_IDLE",
        description="seconds after which a confined process without a call ends; its variables are kept",
    )
    code_interpreter_sessions: Annotated[int, Field(ge=1, le=256)] = Field(
        4, validation_alias="CODE_INTERPRETER_SESSIONS", description="confined processes of one app process, at most"
    )

    @field_validator("model_map", mode="before")
    @classmethod
    def _parse_model_map(cls, value: object) -> object:
        return dict(_pairs(value, "MODEL_MAP")) if isinstance(value, str) else value

    @field_validator("model_context", mode="before")
    @classmethod
    def _parse_model_context(cls, value: object) -> object:
        return dict(_pairs(value, "MODEL_CONTEXT")) if isinstance(value, str) else value

    @field_validator("api_keys", mode="before")
    @classmethod
    def _parse_api_keys(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        keys = dict(_pairs(value, "API_KEYS"))
        for key, project in keys.items():
            if not _SENDABLE.fullmatch(key):
                raise ValueError(f"API_KEYS: {_NOT_SENDABLE}")
            if not re.fullmatch(PROJECT, project.removesuffix(MAY_IMPORT)):
                raise ValueError("API_KEYS: a project is 1 to 63 letters, digits, dashes or underscores")
            if key.startswith("sha256:") and not _HASHED_KEY.fullmatch(key):
                raise ValueError("API_KEYS: a hashed key is sha256: and 64 lower-case hexadecimal digits")
        return keys

    @field_validator("entra_projects", mode="before")
    @classmethod
    def _parse_entra_projects(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        projects = dict(_pairs(value, "ENTRA_PROJECTS"))
        if not all(_CLAIM.fullmatch(claim) for claim in projects):
            raise ValueError("ENTRA_PROJECTS: a claim is oid=ID, groups=ID, appid=ID, roles=NAME, or *")
        if not all(re.fullmatch(PROJECT, project) for project in projects.values()):
            raise ValueError("ENTRA_PROJECTS: a project is 1 to 63 letters, digits, dashes or underscores")
        return projects

    @model_validator(mode="after")
    def _tokens_have_projects(self) -> Self:
        if self.entra_tenant and not (self.entra_projects and self.audiences):
            raise ValueError("ENTRA_TENANT needs ENTRA_PROJECTS, for example *=default, and an audience")
        if self.entra_projects and not self.entra_tenant:
            raise ValueError("ENTRA_PROJECTS needs ENTRA_TENANT")
        return self

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _parse_origins(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        origins = [origin.strip() for origin in value.split(",") if origin.strip()]
        if not all(origin == "*" or _ORIGIN.fullmatch(origin) for origin in origins):
            raise ValueError("CORS_ORIGINS is a comma-separated list of origins, scheme://host[:port], without a path")
        return origins

    @model_validator(mode="after")
    def _ends_in_time(self) -> Self:
        """Check that queue functions end before the host's time-out, which ends the process with all its streams."""
        limit = _seconds(self.function_timeout or _host_timeout())
        if limit is not None and self.run_lifetime > limit - _ROOM:
            raise ValueError(f"RUN_LIFETIME has to be {_ROOM} seconds less than functionTimeout, which is {limit}")
        return self

    @field_validator("webhook_hosts", mode="before")
    @classmethod
    def _parse_webhook_hosts(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(host.strip().lower() for host in value.split(",") if host.strip())

    @field_validator("webhooks", mode="before")
    @classmethod
    def _parse_webhooks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            found: object = json.loads(value)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ValueError('WEBHOOKS is JSON: {"PROJECT": {"url": "https://...", "secret": "whsec_..."}}')
        projects = cast("dict[str, object]", found)
        if not all(re.fullmatch(PROJECT, project) for project in projects):
            raise ValueError("WEBHOOKS: a project is 1 to 63 letters, digits, dashes or underscores")
        return projects

    @model_validator(mode="after")
    def _webhooks_are_reachable(self) -> Self:
        for project, hook in self.webhooks.items():
            if not hook.host or (hook.url.startswith("http:") and hook.host not in self.webhook_hosts):
                raise ValueError(f"WEBHOOKS: {project} needs https://, or http:// to a host in WEBHOOK_HOSTS")
        return self

    @model_validator(mode="after")
    def _has_upstream(self) -> Self:
        if self.backend == "proxy" and self.proxy_base_url is None:
            raise ValueError("BACKEND=proxy needs PROXY_BASE_URL")
        return self

    @model_validator(mode="after")
    def _has_pool(self) -> Self:
        if self.code_interpreter == "sessions" and self.code_interpreter_pool is None:
            raise ValueError("CODE_INTERPRETER=sessions needs CODE_INTERPRETER_POOL")
        return self

    @field_validator("signalr")
    @classmethod
    def _is_a_connection(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            if value is not None:
                SignalRConnection.parsed(value.get_secret_value())
        except ValueError:
            message = "SIGNALR_CONNECTION is Endpoint=https://...;AccessKey=...;Version=1.0; or https://..."
            raise ValueError(message) from None
        return value

    @model_validator(mode="after")
    def _hub_has_a_secret(self) -> Self:
        """The hub signs its tokens with secrets of the settings: one of them has to be unknown to each caller."""
        if self.notifications and self.signalr is None and self.entra_tenant and self.storage is None:
            hooks = {key for hook in self.webhooks.values() for key in hook.keys}
            owners = {owner.removesuffix(MAY_IMPORT) for owner in self.api_keys.values()}
            if len(owners) < 2 and not {*self.secrets} - hooks:
                raise ValueError(
                    "NOTIFICATIONS=true needs a secret that no caller has, beside ENTRA_TENANT and a storage account "
                    "that is used by identity: SIGNALR_CONNECTION, or keys of two projects in API_KEYS"
                )
        return self

    @property
    def signalr_connection(self) -> SignalRConnection | None:
        """Azure SignalR Service, if it is used."""
        return SignalRConnection.parsed(self.signalr.get_secret_value()) if self.signalr else None

    @property
    def has_model(self) -> bool:
        """Whether a model's endpoint is configured."""
        return bool(self.openai_api_key or self.openai_base_url or self.azure_openai_endpoint)

    @property
    def secrets(self) -> list[str]:
        """The operator's keys to other services, which must not appear in answers and log lines."""
        keys = (self.openai_api_key, self.azure_openai_api_key, self.proxy_api_key)
        hooks = (hook.url for hook in self.webhooks.values())
        urls = (self.openai_base_url, self.azure_openai_endpoint, self.proxy_base_url, self.otlp_endpoint, *hooks)
        return [
            *(key.get_secret_value() for key in keys if key),
            *(key for hook in self.webhooks.values() for key in hook.keys),
            *([self.application_insights.get_secret_value()] if self.application_insights else []),
            *([self.signalr_connection.key] if self.signalr_connection and self.signalr_connection.key else []),
            *(secret for url in urls for secret in _secrets_of(url)),
        ]

    @property
    def audiences(self) -> tuple[str, ...]:
        """The audiences of access tokens."""
        return tuple(audience.strip() for audience in self.entra_audience.split(",") if audience.strip())

    @cached_property
    def models(self) -> dict[str, str]:
        """The endpoint's name of each model; `*` stands for all others."""
        return ({"*": self.model} if self.model else {}) | self.model_map

    @property
    def projects(self) -> set[str]:
        """The projects of the accepted keys and tokens."""
        return {
            project.removesuffix(MAY_IMPORT) for project in (*self.api_keys.values(), *self.entra_projects.values())
        }

    def may_import(self, project: str) -> bool:
        """Whether a project may import: one of its keys is marked so, or the service has neither keys nor tokens."""
        return not (self.api_keys or self.entra_tenant) or project + MAY_IMPORT in self.api_keys.values()

    @property
    def endpoint_embedding_model(self) -> str:
        """The endpoint's name of the model of the embeddings; `*` stands for chat models only."""
        return self.model_map.get(self.embedding_model, self.embedding_model)

    def endpoint_model(self, model: str) -> str:
        """The endpoint's name of a model that an assistant names."""
        return self.models.get(model) or self.models.get("*") or model


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read once."""
    return Settings.model_validate({})


@lru_cache(maxsize=1)
def _host_timeout() -> str | None:
    return json.loads(_HOST.read_text(encoding="utf-8")).get("functionTimeout") if _HOST.exists() else None


def _seconds(timeout: str | None) -> int | None:
    """The seconds of a time-out such as `00:10:00` or `1.00:00:00`; None without one."""
    if timeout in {None, "-1"}:
        return None
    hours, minutes, seconds = str(timeout).rpartition(".")[2].split(":")
    days = int(str(timeout).partition(".")[0]) if "." in str(timeout) else 0
    return ((days * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds)


def _secrets_of(url: str | None) -> Iterator[str]:
    """The password and the keys in a URL."""
    parts = urlsplit(url or "")
    yield from filter(None, [parts.password])
    yield from (value for name, value in parse_qsl(parts.query) if re.search("key|token|secret|sig", name, re.I))


def _pairs(text: str, name: str) -> list[tuple[str, str]]:
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    pairs = [entry.rpartition("=") for entry in entries]
    if any(not key.strip() or not value.strip() for key, _, value in pairs):
        raise ValueError(f"{name} is a comma-separated list of KEY=VALUE")
    if len({key.strip() for key, _, _ in pairs}) < len(pairs):
        raise ValueError(f"{name} names something twice")
    return [(key.strip(), value.strip()) for key, _, value in pairs]
