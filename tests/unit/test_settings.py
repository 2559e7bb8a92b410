from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from assistants.settings import Settings
from tests.unit.conftest import ReadSettings

DIGEST = "0123456789abcdef" * 4
SECRET = "sk-very-secret"


def shown(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("AzureWebJobsStorage", "storage"),
        ("BlobConnectionString", "storage"),
        ("AzureWebJobsStorage__accountName", "storage_account"),
        ("AzureWebJobsStorage__blobServiceUri", "storage_blob_uri"),
        ("AzureWebJobsStorage__serviceUri", "storage_blob_uri"),
        ("AzureWebJobsStorage__queueServiceUri", "storage_queue_uri"),
        ("AzureWebJobsStorage__credential", "storage_credential"),
        ("AzureWebJobsStorage__clientId", "storage_client_id"),
        ("OPENAI_API_KEY", "openai_api_key"),
        ("OpenAIKey", "openai_api_key"),
        ("OPENAI_BASE_URL", "openai_base_url"),
        ("AZURE_OPENAI_ENDPOINT", "azure_openai_endpoint"),
        ("AZURE_OPENAI_API_KEY", "azure_openai_api_key"),
        ("AZURE_OPENAI_API_VERSION", "azure_openai_api_version"),
        ("OPENAI_API_VERSION", "azure_openai_api_version"),
        ("MODEL", "model"),
        ("DeploymentOrModelName", "model"),
    ],
)
def test_a_setting_is_read_under_each_of_its_names(read_settings: ReadSettings, name: str, field: str):
    assert shown(getattr(read_settings({name: "value"}), field)) == "value"


@pytest.mark.parametrize(
    ("first", "second", "field"),
    [
        ("AzureWebJobsStorage", "BlobConnectionString", "storage"),
        ("OPENAI_API_KEY", "OpenAIKey", "openai_api_key"),
        ("MODEL", "DeploymentOrModelName", "model"),
    ],
)
def test_the_predecessors_name_counts_only_where_the_present_one_is_not_set(
    read_settings: ReadSettings, first: str, second: str, field: str
):
    assert shown(getattr(read_settings({first: "new", second: "old"}), field)) == "new"
    assert shown(getattr(read_settings({first: "", second: "old"}), field)) == "old"


def test_an_empty_environment_gives_the_defaults(read_settings: ReadSettings):
    settings = read_settings({})
    for name, field in Settings.model_fields.items():
        assert getattr(settings, name) == field.get_default(call_default_factory=True)


@pytest.mark.parametrize(
    "name", ["AzureWebJobsStorage", "OPENAI_API_KEY", "LOOK_AGAIN", "LOG_SEGMENT_BLOCKS", "API_KEYS", "MODEL_MAP"]
)
def test_an_empty_value_counts_as_not_set(read_settings: ReadSettings, name: str):
    assert read_settings({name: ""}) == read_settings({})


@pytest.mark.parametrize(
    ("environment", "named", "called"),
    [
        ({}, "gpt-4o", "gpt-4o"),
        ({"MODEL": "d"}, "gpt-4o", "d"),
        ({"MODEL_MAP": "*=d"}, "gpt-4o", "d"),
        ({"MODEL_MAP": "gpt-4o=a"}, "gpt-4o", "a"),
        ({"MODEL_MAP": "gpt-4o=a"}, "o3", "o3"),
        ({"MODEL_MAP": "gpt-4o=a,*=d"}, "gpt-4o", "a"),
        ({"MODEL_MAP": "gpt-4o=a,*=d"}, "o3", "d"),
        ({"MODEL_MAP": "gpt-4o=a", "MODEL": "d"}, "gpt-4o", "a"),
        ({"MODEL_MAP": "gpt-4o=a", "MODEL": "d"}, "o3", "d"),
        ({"MODEL_MAP": "*=b", "MODEL": "d"}, "o3", "b"),
        ({"MODEL_MAP": " gpt-4o = a , "}, "gpt-4o", "a"),
        ({"MODEL_MAP": "llama3:8b=library/llama3"}, "llama3:8b", "library/llama3"),
    ],
)
def test_the_endpoints_name_of_a_model(
    read_settings: ReadSettings, environment: Mapping[str, str], named: str, called: str
):
    assert read_settings(environment).endpoint_model(named) == called


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("k=p", {"k": "p"}),
        ("k1=p,k2=p,k3=other", {"k1": "p", "k2": "p", "k3": "other"}),
        (" k1 = p , k2 = q , ", {"k1": "p", "k2": "q"}),
        ("base64==p", {"base64=": "p"}),
        (f"sha256:{DIGEST}=p", {f"sha256:{DIGEST}": "p"}),
        ("k=" + "p" * 63, {"k": "p" * 63}),
        ("k=Team_1-a", {"k": "Team_1-a"}),
        (",", {}),
    ],
)
def test_keys_and_their_projects(read_settings: ReadSettings, text: str, keys: Mapping[str, str]):
    assert read_settings({"API_KEYS": text}).api_keys == keys


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"API_KEYS": SECRET}, "API_KEYS is a comma-separated list of KEY=VALUE"),
        ({"API_KEYS": f"{SECRET}="}, "API_KEYS is a comma-separated list of KEY=VALUE"),
        ({"API_KEYS": f"=p,{SECRET}=p"}, "API_KEYS is a comma-separated list of KEY=VALUE"),
        ({"API_KEYS": f"{SECRET}=a,{SECRET}=b"}, "API_KEYS names something twice"),
        ({"API_KEYS": f"{SECRET}=a project"}, "a project is 1 to 63"),
        ({"API_KEYS": f"{SECRET}=a/b"}, "a project is 1 to 63"),
        ({"API_KEYS": f"{SECRET}=.."}, "a project is 1 to 63"),
        ({"API_KEYS": f"{SECRET}={'p' * 64}"}, "a project is 1 to 63"),
        ({"API_KEYS": f"sha256:{SECRET}=p"}, "a hashed key is sha256:"),
        ({"API_KEYS": f"sha256:{DIGEST.upper()}=p"}, "a hashed key is sha256:"),
        ({"MODEL_MAP": "gpt-4o"}, "MODEL_MAP is a comma-separated list of KEY=VALUE"),
        ({"LOOK_AGAIN": "61", "API_KEYS": f"{SECRET}=p"}, "LOOK_AGAIN"),
        ({"LOOK_AGAIN": "0"}, "LOOK_AGAIN"),
        ({"BACKEND": "proxy"}, "BACKEND=proxy needs PROXY_BASE_URL"),
        ({"BACKEND": "cloud"}, "BACKEND"),
        ({"PROXY_BASE_URL": "example.com/v1", "PROXY_API_KEY": SECRET}, "PROXY_BASE_URL"),
        ({"CLAIM": "soon"}, "CLAIM"),
        ({"SIGNALR_CONNECTION": f"AccessKey={SECRET};Version=1.0;"}, "SIGNALR_CONNECTION is Endpoint="),
        ({"SIGNALR_CONNECTION": "name.service.signalr.net"}, "SIGNALR_CONNECTION is Endpoint="),
        ({"LOG_SEGMENT_BLOCKS": "50001", "OPENAI_API_KEY": SECRET}, "LOG_SEGMENT_BLOCKS"),
        ({"STORAGE_TIMEOUT": "-1", "AzureWebJobsStorage": f"AccountKey={SECRET}"}, "STORAGE_TIMEOUT"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_setting_and_without_any_key(
    read_settings: ReadSettings, environment: Mapping[str, str], complaint: str
):
    with pytest.raises(ValidationError, match=complaint) as refused:
        read_settings(environment)
    assert SECRET not in str(refused.value)
    assert DIGEST.upper() not in str(refused.value)


@pytest.mark.parametrize("name", ["AzureWebJobsStorage", "OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "PROXY_API_KEY"])
@pytest.mark.parametrize("bad", ["{}\n", "\r\n{}", "{} ", "\ufeff{}", "{}é", "a\n{}", "{}\x7f"], ids=ascii)
def test_a_key_that_no_header_can_carry_is_refused_by_the_name_of_its_setting(
    read_settings: ReadSettings, name: str, bad: str
):
    with pytest.raises(ValidationError, match=name) as refused:
        read_settings({name: bad.format(SECRET)})
    assert SECRET not in str(refused.value)
    assert "printable ASCII" in str(refused.value)


@pytest.mark.parametrize(
    "keys", ["{0}\nk=p", "k1=p\n{0}=p", "{0}é=p", "k=p,{0}\u2013=p", "\ufeff{0}=p", "{0}\x7f=p"], ids=ascii
)
def test_a_callers_key_that_no_header_can_carry_is_refused(read_settings: ReadSettings, keys: str):
    with pytest.raises(ValidationError, match=r"API_KEYS: .* printable ASCII") as refused:
        read_settings({"API_KEYS": keys.format(SECRET)})
    assert SECRET not in str(refused.value)


def test_keys_may_come_on_lines_of_their_own(read_settings: ReadSettings):
    assert read_settings({"API_KEYS": "k 1=p,\r\nk2=q\n"}).api_keys == {"k 1": "p", "k2": "q"}


@pytest.mark.parametrize(
    "name", ["AzureWebJobsStorage", "OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "PROXY_API_KEY", "API_KEYS"]
)
def test_no_key_is_shown_when_the_settings_are_printed(read_settings: ReadSettings, name: str):
    settings = read_settings({name: f"{SECRET}=p"})
    assert SECRET not in repr(settings) + str(settings)


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"RUN_LIFETIME": "591"}, "10 seconds less than functionTimeout, which is 600"),
        ({"AzureFunctionsJobHost__functionTimeout": "00:05:00"}, "which is 300"),
        ({"AzureFunctionsJobHost__functionTimeout": "soon"}, "functionTimeout"),
        ({"CORS_ORIGINS": "https://app.example.com/path"}, "CORS_ORIGINS"),
        ({"CORS_ORIGINS": "app.example.com"}, "CORS_ORIGINS"),
    ],
)
def test_a_lifetime_that_no_function_outlasts_and_an_origin_that_is_none_are_refused(
    read_settings: ReadSettings, environment: Mapping[str, str], complaint: str
):
    with pytest.raises(ValidationError, match=complaint):
        read_settings(environment)


@pytest.mark.parametrize("timeout", ["01:00:00", "1.00:00:00", "-1"])
def test_a_run_may_live_as_long_as_the_host_lets_it(read_settings: ReadSettings, timeout: str):
    environment = {"RUN_LIFETIME": "3590", "AzureFunctionsJobHost__functionTimeout": timeout}
    assert read_settings(environment).run_lifetime == 3590


@pytest.mark.parametrize(
    ("text", "endpoint", "key"),
    [
        (f"Endpoint=https://a.signalr.net;AccessKey={SECRET}==;Version=1.0;", "https://a.signalr.net", f"{SECRET}=="),
        (f"Endpoint=http://localhost/;Port=8888;AccessKey={SECRET};Version=1.0;", "http://localhost:8888", SECRET),
        ("Endpoint=https://a.signalr.net;AuthType=azure.msi;Version=1.0;", "https://a.signalr.net", None),
        ("https://a.service.signalr.net/", "https://a.service.signalr.net", None),
    ],
)  # fmt: skip
def test_azure_signalr_service_is_named_by_a_connection_string_or_its_endpoint(
    read_settings: ReadSettings, text: str, endpoint: str, key: str | None
):
    settings = read_settings({"SIGNALR_CONNECTION": text})
    connection = settings.signalr_connection
    assert connection is not None
    assert (connection.endpoint, connection.key) == (endpoint, key)
    assert key is None or key in settings.secrets
    assert SECRET not in repr(settings) + repr(connection)


ENTRA = {"ENTRA_TENANT": "00000000-0000-0000-0000-000000000000", "ENTRA_PROJECTS": "*=people"}


@pytest.mark.parametrize(
    ("values", "importing", "projects"),
    [
        ({}, {"a", "b", "people"}, set()),
        ({"API_KEYS": "k=a+import,l=a,m=b"}, {"a"}, {"a", "b"}),
        ({"API_KEYS": "k=a"}, set(), {"a"}),
        (ENTRA, set(), {"people"}),
        (ENTRA | {"API_KEYS": "k=people+import,l=b"}, {"people"}, {"people", "b"}),
    ],
    ids=["open", "one of two", "none", "tokens alone", "tokens of a project that a key marks"],
)
def test_a_project_may_import_if_one_of_its_keys_is_marked_or_all_is_open(
    read_settings: ReadSettings, values: dict[str, str], importing: set[str], projects: set[str]
):
    read = read_settings(values)
    assert {each for each in ("a", "b", "people") if read.may_import(each)} == importing
    assert read.projects == projects
