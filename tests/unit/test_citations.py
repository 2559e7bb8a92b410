"""Marks in the model's text, and the citations made of them (contract, 12)."""

import itertools

import pytest

from assistants.schema.messages import FileCitation, FilePath
from assistants.state.citations import (
    MAX_CITATIONS,
    MAX_QUOTE,
    Piece,
    annotations,
    mark,
    numbered,
    pieces,
    quote,
    settled,
)
from assistants.state.runs import Found, Ran, ToolCall, Turn

SPIRE = "The nave was begun in 1015. The spire of Strasbourg is 142 metres high."
FONT = "The font was made by Jodoque Dotzinger in 1453."


def searched(number: int, *texts: str) -> ToolCall:
    """A call of file search with these texts as its results, each in a separate file."""
    output, found = "", list[Found]()
    for place, text in enumerate(texts):
        at = len(output)
        found.append(Found(file_id=f"file-{place}", file_name="a.txt", score=0.5, start=at, end=at + len(text)))
        output += text
    return ToolCall(
        id=f"call_{number}", type="file_search", name="file_search", arguments="", output=output, found=found,
        number=number,
    )  # fmt: skip


def turn(*calls: ToolCall) -> Turn:
    return Turn(started_at=0, ended_at=0, finish="tool_calls", calls=list(calls))


TURNS = [turn(searched(2, SPIRE, FONT)), turn(searched(3, FONT))]


def cited(text: str) -> list[tuple[str, str]]:
    """The cited text, and the file, of each citation."""
    found = annotations(TURNS, text)
    return [(each["text"], each["file_citation"]["file_id"]) for each in found if each["type"] == "file_citation"]


class TestMarks:
    def test_a_mark_names_the_call_the_result_and_the_file(self):
        assert mark(4, 0, "guide.pdf") == "【4:0†guide.pdf】"

    @pytest.mark.parametrize("name", ["【】", "a†b\n【c】", "x" * 500, "", "\x00", "名" * 500])
    def test_a_mark_is_recognized_for_any_file_name(self, name: str):
        said = mark(2, 0, name)
        assert cited(f"So{said}.") == [(said, "file-0")]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Nothing.", []),
            ("High【2:0†a.txt】.", [("【2:0†a.txt】", "file-0")]),
            ("High【2:0†source】.", [("【2:0†source】", "file-0")]),
            ("High【2:0†】.", [("【2:0†】", "file-0")]),
            (
                "【2:1†a】【2:0†a】【3:0†b】",
                [("【2:1†a】", "file-1"), ("【2:0†a】", "file-0"), ("【3:0†b】", "file-0")],
            ),
            ("【2:0†a】 and 【2:0†a】", [("【2:0†a】", "file-0")] * 2),
            ("【【2:0†a】】", [("【2:0†a】", "file-0")]),
            ("【2:0†【2:1†a】", [("【2:1†a】", "file-1")]),
            ("High【2:0】.", [("【2:0】", "file-0")]),
            ("High【 2 : 0 † a.txt 】.", [("【 2 : 0 † a.txt 】", "file-0")]),
            ("High【\u30002:0\u00a0†a】.", [("【\u30002:0\u00a0†a】", "file-0")]),
            ("High【2\uff1a0†source】.", [("【2\uff1a0†source】", "file-0")]),
            ("High【2\uff1a1】.", [("【2\uff1a1】", "file-1")]),
            ("High【2:0†L1-L3】.", [("【2:0†L1-L3】", "file-0")]),
            ("High【2:0†a, page 3:1 of b】.", [("【2:0†a, page 3:1 of b】", "file-0")]),
        ],
    )
    def test_each_mark_of_a_result_is_cited(self, text: str, expected: list[tuple[str, str]]):
        assert cited(text) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "【2:2†a】", "【1:0†a】", "【9:9†a】", "【2†a】", "【2:9】", "[2:0†a]", "【2:0†a", "【2:0", "【2 0†a】",
            "【2:0 see a】", "【2:0-1】", "【2:0, 1】", "【9:0†a, 9:1†b】", "【    2:0†a】",
            "【2:0†a\nb】", "【-2:0†a】", "【٢:0†a】", f"【2:0†{'x' * 201}】", f"【{'9' * 5000}:0†a】",
        ],
    )  # fmt: skip
    def test_a_mark_without_a_result_stays_text(self, text: str):
        assert cited(text) == []
        assert "".join(piece.text for piece in pieces(TURNS, text)) == text

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("So【2:0†a, 2:1†b】.", [("【2:0†a, ", "file-0"), ("2:1†b】", "file-1")]),
            ("So【2:0, 3:0】.", [("【2:0, ", "file-0"), ("3:0】", "file-0")]),
            (
                "So【2:0†a;2:1†b\uff0c3\uff1a0】.",
                [("【2:0†a;", "file-0"), ("2:1†b\uff0c", "file-1"), ("3\uff1a0】", "file-0")],
            ),
            ("So【2:0†source 2:1†source】.", [("【2:0†source ", "file-0"), ("2:1†source】", "file-1")]),
            ("So【2:0†a, 2:0†a】.", [("【2:0†a, ", "file-0"), ("2:0†a】", "file-0")]),
            ("So【2:0†a, 9:9†b】.", [("2:0†a", "file-0")]),
            ("So【9:9†a , 2:1†b 】.", [("2:1†b", "file-1")]),
            ("So【9:9†a , 2:1 , 8:8】.", [("2:1", "file-1")]),
        ],
    )
    def test_a_mark_may_name_several_results(self, text: str, expected: list[tuple[str, str]]):
        assert cited(text) == expected
        found = annotations(TURNS, text)
        assert [text[each["start_index"] : each["end_index"]] for each in found] == [each["text"] for each in found]
        assert "".join(piece.text for piece in pieces(TURNS, text)) == text

    def test_a_mark_names_so_many_results_at_most(self):
        assert len(annotations(TURNS, f"【{', '.join(['2:0'] * 20)}】")) == 20
        assert annotations(TURNS, f"【{', '.join(['2:0'] * 21)}】") == []
        assert annotations(TURNS, f"【{', '.join(['2:0†' + 'a' * 100] * 6)}】") == []

    @pytest.mark.parametrize("name", ["Genesis 1:1, 2:1", "a;2:1", "a\uff0c3\uff1a0, 3:0, 3:0"])
    def test_a_file_name_like_a_mark_is_no_mark(self, name: str):
        said = mark(2, 0, name)
        assert cited(f"So{said}.") == [(said, "file-0")]

    def test_indices_count_code_points_the_end_exclusive(self):
        text = "Hoch: 👨‍👩‍👧 142 m é【2:0†a.txt】, so."
        (found,) = annotations(TURNS, text)
        assert text[found["start_index"] : found["end_index"]] == found["text"] == "【2:0†a.txt】"

    def test_only_results_of_earlier_turns_are_cited(self):
        assert annotations(TURNS[:1], "【3:0†a】") == []

    def test_a_call_without_results_is_never_cited(self):
        assert annotations([turn(searched(2))], "【2:0†a】") == []
        failed = searched(2).model_copy(update={"found": None, "output": "It failed."})
        assert annotations([turn(failed)], "【2:0†a】") == []

    def test_there_are_so_many_citations_at_most(self):
        assert len(annotations(TURNS, "【2:0†a】" * (MAX_CITATIONS + 1))) == MAX_CITATIONS
        assert len(annotations(TURNS, "【2:0†a】" * (MAX_CITATIONS - 1) + "【2:0, 2:1】")) == MAX_CITATIONS


class TestPieces:
    """The pieces of a text make the same message, in whatever parts the text arrives."""

    TEXT = "So: 【2:0†a.txt】【2:7†b】 and 【3:0†source】, 【2:x【2:1†ü】."
    OTHERS = (
        "So【 2\uff1a0 】, 【2:0†L1-L3】【2:1†ü , 3:0; 2:0†b】.",
        "【2:0†a, 9:9, 2:1†b 3:0†c】 and 【2:0†a, 2:30 pm】【2:1, ",
    )

    def test_a_text_is_cut_where_it_cites(self):
        assert [piece.text for piece in pieces(TURNS, self.TEXT)] == [
            "So: ", "【2:0†a.txt】", "【2:7†b】 and ", "【3:0†source】", ", 【2:x", "【2:1†ü】", ".",
        ]  # fmt: skip

    @pytest.mark.parametrize("count", [1, 2])
    @pytest.mark.parametrize("text", [TEXT, *OTHERS])
    def test_wherever_it_is_split(self, text: str, count: int):
        whole = (text, annotations(TURNS, text))
        for places in itertools.combinations(range(len(text) + 1), count):
            ends = [0, *places, len(text)]
            assert told([text[start:end] for start, end in itertools.pairwise(ends)]) == whole

    @pytest.mark.parametrize(
        "text",
        [
            TEXT,
            *OTHERS,
            f"【2:0†{'x' * 198}, 2:1】【2:0†{'x' * 199}, 2:1†b】【2:0†{'x' * 200}, 2:1】【2:0†{'x' * 201}, 2:1】",
            f"【{', '.join(['2:0†' + 'a' * 100] * 6)}】【{', '.join(['2:0'] * 21)}】【2:0】",
            "【2:0†" + "a, 2:1, " * 60 + "】【3:0】",
            "【2:0" + ", 2:1" * 19 + "†x, 3:0】",
        ],
    )
    def test_letter_by_letter(self, text: str):
        assert told(list(text)) == (text, annotations(TURNS, text))

    @pytest.mark.parametrize("begun", ["【", "【2:0†", "【2:0, ", "【2:0†a, 2:1†"])
    @pytest.mark.parametrize("more", ["x", ", 2:1", " 2:1†", ",", "2", " ", "†"])
    def test_a_mark_that_never_ends_is_not_waited_for_long(self, begun: str, more: str):
        text = begun + more * 1_000
        assert settled(text) == len(text)

    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("", ""),
            ("Plain.", ""),
            ("So 【", "【"),
            ("So 【2", "【2"),
            ("So 【2:", "【2:"),
            ("So 【2:0", "【2:0"),
            ("So 【2:0†", "【2:0†"),
            ("So 【2:0†a b.txt", "【2:0†a b.txt"),
            ("So 【2:0†a】", ""),
            ("So 【注", ""),
            ("So 【2:0†a\n", ""),
            ("【2:0†a【2", "【2"),
            (f"【2:0†{'x' * 200}", f"【2:0†{'x' * 200}"),
            (f"【2:0†{'x' * 201}", ""),
            (f"【{'2' * 10}", ""),
            ("So 【 2 \uff1a ", "【 2 \uff1a "),
            ("So 【2:0 ", "【2:0 "),
            ("So 【2:0 a", ""),
            ("So 【2:0, ", "【2:0, "),
            ("So 【2:0, 3", "【2:0, 3"),
            ("So 【2:0, 3x", ""),
            ("So 【2:0†a, 3x", "【2:0†a, 3x"),
            (f"【2:0†{'x' * 200}, 2", f"【2:0†{'x' * 200}, 2"),
            (f"【2:0†{'x' * 200}, 2x", ""),
        ],
    )
    def test_only_the_possible_beginning_of_a_mark_is_kept_back(self, text: str, kept: str):
        assert text[settled(text) :] == kept


class TestLinks:
    TEXT = (
        "[a](sandbox:/mnt/data/a.csv), sandbox:/mnt/data/a.csv.gz. sandbox:/mnt/data/a.csvx "
        "(sandbox:/mnt/data/out/my%20table.csv) sandbox:/mnt/data/out/my table.csv sandbox:/mnt/data/no "
        "sandbox:/mnt/data/d. sandbox:/mnt/data/d.x sandbox:sandbox:/mnt/data/d【2:0†a】sandbox:/mnt/data/d"
    )

    @property
    def turns(self) -> list[Turn]:
        files = {"a.csv": "file-a", "a.csv.gz": "file-z", "out/my table.csv": "file-t", "d": "file-d"}
        made = ToolCall(
            id="call_c", type="code_interpreter", name="code_interpreter", arguments="", ran=Ran(files=files)
        )
        return [*TURNS, turn(made)]

    def test_files_that_were_made_are_linked(self):
        found = annotations(self.turns, self.TEXT)
        assert all(self.TEXT[each["start_index"] : each["end_index"]] == each["text"] for each in found)
        assert [each["file_path"]["file_id"] for each in found if each["type"] == "file_path"] == [
            "file-a", "file-z", "file-t", "file-t", "file-d", "file-d", "file-d",
        ]  # fmt: skip
        assert "".join(piece.text for piece in pieces(self.turns, self.TEXT)) == self.TEXT

    def test_wherever_it_is_split(self):
        whole = (self.TEXT, annotations(self.turns, self.TEXT))
        assert told(list(self.TEXT), self.turns) == whole
        for at in range(len(self.TEXT)):
            assert told([self.TEXT[:at], self.TEXT[at:]], self.turns) == whole

    def test_of_a_file_that_was_made_twice_the_latest_is_linked(self):
        again = ToolCall(id="c", type="code_interpreter", name="", arguments="", ran=Ran(files={"a.csv": "file-b"}))
        (found,) = annotations([*self.turns, turn(again)], "sandbox:/mnt/data/a.csv")
        assert found["type"] == "file_path"
        assert found["file_path"] == {"file_id": "file-b"}

    def test_without_files_no_text_is_kept_back(self):
        assert settled("So sandbox:/mnt/da", TURNS) == len("So sandbox:/mnt/da")


def told(parts: list[str], turns: list[Turn] = TURNS) -> tuple[str, list[FileCitation | FilePath]]:
    """The text and the annotations made of the pieces when a text arrives in parts, as in a stream."""
    said, kept, found = list[str](), "", list[FileCitation | FilePath]()

    def tell(text: str) -> None:
        for piece in list(pieces(turns, text, said, len(found))):
            assert isinstance(piece, Piece)
            said.append(piece.text)
            found.extend([piece.annotation] if piece.annotation else [])

    for part in parts:
        text = kept + part
        kept = text[settled(text, turns) :]
        tell(text.removesuffix(kept))
    tell(kept)
    return "".join(said), found


class TestQuotes:
    @pytest.mark.parametrize(
        ("claim", "expected"),
        [
            ("The spire is 142 metres high", "The spire of Strasbourg is 142 metres high."),
            ("They began the nave in 1015", "The nave was begun in 1015."),
            ("", "The nave was begun in 1015."),
            ("zzz", "The nave was begun in 1015."),
        ],
    )
    def test_the_passage_that_is_most_like_the_claim_is_quoted(self, claim: str, expected: str):
        assert quote(SPIRE, claim) == expected

    def test_it_is_of_the_sentence_before_the_mark(self):
        text = (
            "They began in 1015【2:0†a】. The spire is 142 metres high. 【2:0†a】 The nave was early【2:0†a】【2:1†a】"
        )
        nave, spire = "The nave was begun in 1015.", "The spire of Strasbourg is 142 metres high."
        found = annotations(TURNS, text)
        quotes = [each["file_citation"].get("quote") for each in found if each["type"] == "file_citation"]
        assert quotes == [nave, spire, nave, FONT]

    def test_scripts_without_spaces_are_quoted_too(self):
        text = "大聖堂は1015年に着工した。尖塔の高さは142メートルである。"
        assert quote(text, "尖塔は142メートル") == "尖塔の高さは142メートルである。"

    @pytest.mark.parametrize("text", ["word " * 500, "x" * 2000, "a\n" * 500, "語" * 2000, " \n ", ""])
    def test_a_quote_is_bounded_and_word_for_word(self, text: str):
        found = quote(text, "word")
        assert found in text
        assert len(found) <= MAX_QUOTE
        assert found == found.strip()
        assert bool(found) == bool(text.strip())


class TestNumbers:
    def test_each_call_of_a_server_tool_gets_its_own_number(self):
        calls = [searched(0), ToolCall(id="call_f", name="f", arguments=""), searched(0)]
        assert [each.number for each in numbered([], [], calls)] == [1, 0, 2]

    def test_numbers_continue_from_the_last_one_of_the_run(self):
        assert [each.number for each in numbered(TURNS, [], [searched(0)])] == [4]

    def test_what_the_thread_cites_is_never_numbered_again(self):
        assert [each.number for each in numbered([], ["High【7:3†a】.", "【2:0†b】"], [searched(0)])] == [8]

    def test_an_absurd_number_in_the_thread_does_no_harm(self):
        (call,) = numbered([], ["【999999999:0†a】"], [searched(0)])
        assert call.number == 1
