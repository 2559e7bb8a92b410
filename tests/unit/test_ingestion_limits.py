"""The files that are refused before they are fetched, and the time for reading a file."""

import pytest

from assistants.ingestion.limits import MAX_ATTENDANCE, MAX_SECONDS, processor_seconds, refused
from assistants.settings import Settings

MB = 1024 * 1024


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("a.txt", 40 * MB, None),
        ("a.txt", 40 * MB + 1, "The file has more than 40 MB: 5,000,000 tokens have less."),
        ("a.HTML", 400 * MB, "The file has more than 40 MB: 5,000,000 tokens have less."),
        ("a.pdf", 256 * MB, None),
        ("a.PPTX", 256 * MB + 1, "The file has more than 256 MB."),
    ],
)
def test_a_file_is_refused_by_its_size(name: str, size: int, message: str | None):
    error = refused(name, size)
    assert (error and error.message) == message
    assert error is None or error.code == "invalid_file"


def test_a_file_is_refused_by_its_name():
    error = refused("a.png", 1)
    assert error is not None
    assert error.code == "unsupported_file"


def test_a_larger_file_may_take_longer_up_to_the_hosts_time_out():
    seconds = [processor_seconds(size * MB) for size in (0, 1, 10, 100, 256)]
    assert seconds == sorted(seconds)
    assert seconds[0] < seconds[2] <= seconds[-1] < MAX_SECONDS < 600


def test_an_item_of_files_ends_before_the_host_ends_the_process():
    settings = Settings.model_validate({"AzureWebJobsStorage": "UseDevelopmentStorage=true"})
    assert MAX_SECONDS < MAX_ATTENDANCE < settings.run_lifetime
