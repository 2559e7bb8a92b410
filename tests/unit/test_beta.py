"""The beta header: the version that it selects, and its errors (contract, 0 and 8)."""

import pytest

from assistants.api.beta import version
from assistants.schema.errors import ApiError

MISSING = (
    "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
    "Please try again by setting the header 'OpenAI-Beta: assistants=v2'."
)
MALFORMED = "Invalid beta header provided: '{}'. The header should be in the format 'OpenAI-Beta: example_beta=v1'."


@pytest.mark.parametrize(
    ("header", "spoken"),
    [
        (None, "v2"),
        ("", "v2"),
        ("assistants=v2", "v2"),
        ("assistants=v1", "v1"),
        (" assistants=v1 , ", "v1"),
        ("assistants=v2, assistants=v2", "v2"),
        ("assistants=v1,assistants=v2", "v2"),
    ],
)
def test_v1_is_selected_only_by_its_header(header: str | None, spoken: str):
    assert version(header, "/v1/assistants", required=False) == spoken


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("v1", MALFORMED.format("v1")),
        ("assistants", MALFORMED.format("assistants")),
        ("assistants=2", MALFORMED.format("assistants=2")),
        ("assistants=v2;q=1", MALFORMED.format("assistants=v2;q=1")),
        ("assistants=v2, v2", MALFORMED.format("v2")),
        ("vector_stores=v1", "Unknown beta requested: 'vector_stores'."),
        ("assistants=v2,vector_stores=v1", "Unknown beta requested: 'vector_stores'."),
        ("assistants=v3", "Unknown beta requested: 'assistants=v3'."),
    ],
)
@pytest.mark.parametrize("path", ["/v1/assistants", "/v1/files"])
def test_an_unknown_or_malformed_header_is_refused(header: str, message: str, path: str):
    with pytest.raises(ApiError) as caught:
        version(header, path, required=False)
    assert (caught.value.status, caught.value.message, caught.value.param) == (400, message, None)
    assert caught.value.code == "invalid_beta"


@pytest.mark.parametrize("path", ["/v1/assistants", "/v1/assistants/asst_1", "/v1/threads", "/v1/threads/runs"])
@pytest.mark.parametrize("header", [None, "", " "])
def test_assistants_and_threads_need_the_header_where_it_is_required(path: str, header: str | None):
    with pytest.raises(ApiError) as caught:
        version(header, path, required=True)
    assert (caught.value.status, caught.value.message, caught.value.code) == (400, MISSING, "invalid_beta")


@pytest.mark.parametrize("path", ["/v1/files", "/v1/vector_stores", "/v1/uploads", "/v1/threadsandmore", "/nowhere"])
def test_other_paths_never_need_it(path: str):
    assert version(None, path, required=True) == "v2"
