"""A store's segments, as files are added and removed."""

from assistants.search.index import Index
from tests.support.storage.segments import file_of


def test_a_file_is_searched_once_it_is_ingested_and_in_its_version_only():
    versions = {"file-1": "v", "file-2": "v"}
    assert Index().missing(versions) == versions
    index = Index().grown([file_of("file-1", "a"), file_of("file-2", "b")], versions)
    assert index.missing(versions) == {}
    assert index.searched(None) == [None]

    newer = index.grown([file_of("file-2", "c", version="w")], {"file-1": "v", "file-2": "w"})
    there = [text for segment in newer.segments for text in segment.texts]
    flags = [bool(flag) for own in newer.current for flag in own]
    searched = {(text.file_id, text.version) for text, flag in zip(there, flags, strict=True) if flag}
    assert searched == {("file-1", "v"), ("file-2", "w")}
    assert index.searched(None) == [None], "an index never changes"


def test_only_chosen_files_are_searched():
    versions = {"file-1": "v", "file-2": "v"}
    index = Index().grown([file_of("file-1", "a", "b"), file_of("file-2", "c")], versions)
    (flags,) = index.searched(lambda file_id: file_id == "file-2")
    assert flags is not None
    assert list(flags) == [False, False, True]


def test_many_small_files_make_few_segments():
    index, versions = Index(), dict[str, str]()
    for number in range(100):
        versions = {**versions, f"file-{number}": "v"}
        index = index.grown([file_of(f"file-{number}", f"text {number}")], versions)
    assert len(index.segments) <= 7
    assert sum(map(len, index.segments)) == 100
    sizes = [len(segment) for segment in index.segments]
    assert sizes == sorted(sizes, reverse=True)


def test_files_that_have_gone_do_not_stay_in_memory():
    versions = {f"file-{number}": "v" for number in range(10)}
    index = Index().grown([file_of(file_id, "some text") for file_id in versions], versions)
    fewer = index.grown([], {"file-3": "v"})
    assert [text.file_id for segment in fewer.segments for text in segment.texts] == ["file-3"]
    assert fewer.nbytes < index.nbytes
    assert fewer.grown([], {}).segments == ()
