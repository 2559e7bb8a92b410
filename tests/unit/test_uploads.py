"""An upload as pure functions of its document (contract, 6.2)."""

from collections.abc import Callable

import pytest

from assistants.schema.errors import ApiError
from assistants.state import uploads
from assistants.state.files import view
from assistants.state.uploads import UploadRecord

UPLOAD = UploadRecord(
    id="upload_1", file_id="file-1", created_at=100, expires_at=3700, filename="a", purpose="vision", bytes=3
)
LATE = 3700.0


@pytest.mark.parametrize(
    "act",
    [
        lambda: uploads.pending(UPLOAD, LATE),
        lambda: uploads.cancelled(UPLOAD, LATE),
        lambda: uploads.begun(UPLOAD, ["part_1"], LATE),
    ],
)
def test_an_upload_that_was_not_completed_within_an_hour_has_expired(act: Callable[[], object]):
    assert uploads.view(UPLOAD, LATE - 0.1).status == "pending"
    assert uploads.view(UPLOAD, LATE).status == "expired"
    with pytest.raises(ApiError, match="its status is 'expired'"):
        act()


def test_a_completed_upload_does_not_expire():
    done = uploads.completed(UPLOAD, view(uploads.file_of(UPLOAD, 200)))
    assert uploads.view(done, LATE).status == "completed"


def test_the_file_expires_so_long_after_it_was_made_and_not_after_the_upload_was():
    assert uploads.file_of(UPLOAD.model_copy(update={"keep": 3600}), 500).expires_at == 4100
    assert uploads.file_of(UPLOAD, 500).expires_at is None


def test_parts_are_joined_block_by_block_in_the_requested_order():
    sizes = {uploads.block("part_b", 1): 1, uploads.block("part_b", 0): 1, uploads.block("part_a", 0): 1}
    assert uploads.blocks(UPLOAD, ["part_b", "part_a"], sizes) == ["part_b.00000", "part_b.00001", "part_a.00000"]
    with pytest.raises(ApiError, match="no part found with id 'part_c'"):
        uploads.blocks(UPLOAD, ["part_c"], sizes)
    with pytest.raises(ApiError, match="expected 3, but got 2"):
        uploads.blocks(UPLOAD, ["part_b"], sizes)


def test_only_one_list_of_parts_is_completed():
    begun = uploads.begun(UPLOAD, ["part_1"], 200)
    assert begun is not None
    assert uploads.begun(begun, ["part_1"], 200) == begun
    for act in (lambda: uploads.begun(begun, ["part_2"], 200), lambda: uploads.cancelled(begun, 200)):
        with pytest.raises(ApiError, match="being completed already"):
            act()
    again = uploads.given_up(begun, ["part_1"])
    assert again is not None
    assert uploads.begun(again, ["part_2"], 200) is not None
