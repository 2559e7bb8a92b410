"""Names of files as clients of every kind send them."""

import email.message
import email.utils
from base64 import b64encode
from urllib.parse import quote

import pytest

from assistants.api.filenames import attachment, base_name
from assistants.api.files import file_form

NAME = "Grüße aus 東京; 100 %.txt"
HEADERS = {"content-type": "multipart/form-data; boundary=x"}


async def sent(parameters: str, encoding: str = "utf-8") -> str:
    """The name of a file that is sent in a part with these parameters."""
    head = f'Content-Disposition: form-data; name="file"; {parameters}'.encode(encoding)
    form = file_form(HEADERS)
    await form.feed(
        b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nvision\r\n--x\r\n' + head + b"\r\n\r\nx\r\n--x--"
    )
    return (await form.result()).file


def word(text: str) -> str:
    return f"=?utf-8?B?{b64encode(text.encode()).decode()}?="


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        (f'filename="{NAME}"', NAME),
        (f"filename*=UTF-8''{quote(NAME)}", NAME),
        (f"filename=\"_.txt\"; filename*=UTF-8''{quote(NAME)}", NAME),
        (f"filename*=utf-8'en'{quote(NAME)}; filename=_.txt", NAME),
        ("filename*=iso-8859-1''Gr%FC%DFe.txt", "Grüße.txt"),
        (f"filename*0*=UTF-8''{quote('Grüße')}; filename*1=.txt", "Grüße.txt"),
        (f'filename="{word(NAME)}"', NAME),
        (f"filename=\"{word(NAME)}\"; filename*=utf-8''{quote(NAME)}", NAME),
        (f'filename="{word("Grüße")} {word(" aus Ulm.txt")}"', "Grüße aus Ulm.txt"),
        ('filename="=?iso-8859-1?Q?Gr=FC=DFe_1.txt?="', "Grüße 1.txt"),
        (f'filename="{quote(NAME)}"', NAME),
    ],
)
async def test_a_name_in_any_encoding_is_the_file_name_of_the_client(parameters: str, name: str):
    assert await sent(parameters) == name


async def test_a_name_that_is_no_utf_8_is_decoded_as_western_european():
    assert await sent('filename="Grüße € 1.txt"', "cp1252") == "Grüße € 1.txt"


@pytest.mark.parametrize(
    "name",
    [
        "100%.txt",
        "50% off%20.txt",
        "a%20b.txt",
        "100% ü%C3%BC.txt",
        "%FF.txt",
        "=?utf-8?B?!?=",
        "=?x-y?B?YQ==?=",
    ],
)
async def test_a_name_that_only_looks_encoded_is_unchanged(name: str):
    assert await sent(f'filename="{name}"') == name


@pytest.mark.parametrize("parameters", ["filename*=UTF-8''%FF; filename=a.txt", "filename*=x-y''b.txt; filename=a.txt"])
async def test_an_extended_name_that_cannot_be_decoded_is_passed_over(parameters: str):
    assert await sent(parameters) == "a.txt"


async def test_an_extended_name_within_a_quoted_one_is_text():
    assert await sent("filename=\"a; filename*=UTF-8''b.txt\"") == "a; filename*=UTF-8''b.txt"


@pytest.mark.parametrize("sign", ["%22", r"\""])
async def test_a_quotation_mark_may_be_escaped_in_either_way(sign: str):
    assert await sent(f'filename="the {sign}best{sign} of; all.txt"') == 'the "best" of; all.txt'


@pytest.mark.parametrize(
    "path",
    [r"C:\Users\Ada\Grüße.txt", r"\\server\share\Grüße.txt", r"folder\Grüße.txt", "/tmp/Grüße.txt", "../Grüße.txt"],
)
async def test_a_path_is_never_part_of_a_name(path: str):
    assert await sent(f'filename="{path}"') == "Grüße.txt"
    assert await sent(f"filename*=UTF-8''{quote(path, safe='')}") == "Grüße.txt"
    assert base_name(path) == "Grüße.txt"


@pytest.mark.parametrize("name", ["", "..", "folder/", "%0D%0A"])
async def test_a_file_without_a_name_is_called_file(name: str):
    assert await sent(f'filename="{name}"') == "file"


async def test_control_characters_are_no_part_of_a_name():
    assert await sent('filename="a\x00b%0D%0A\x7f\x85.txt"') == "ab.txt"


@pytest.mark.parametrize("name", [NAME, "a.txt", 'the "best" \\ 100%41.txt', "\u202e;'.txt"])
def test_a_download_tells_the_name_to_old_clients_and_to_new_ones(name: str):
    header = attachment(name)
    assert header.isascii()
    parsed = email.message.Message()
    parsed["Content-Disposition"] = header
    (extended,) = [value for _, value in parsed.get_params([], "Content-Disposition") if isinstance(value, tuple)]
    assert email.utils.collapse_rfc2231_value(extended) == name
    plain = header.partition('filename="')[2].partition('"')[0]
    assert len(plain) == len(name)
    assert "%" not in plain
