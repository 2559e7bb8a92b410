"""The limits of a run's searches, and their results as steps show them."""

from typing import NamedTuple

from assistants.schema.steps import FileSearch, FileSearchResult
from assistants.schema.tools import FileSearchOptions, RankingOptions
from assistants.state.runs import Found, RunRecord, ToolCall

RANKER = "default_2024_08_21"
"""The ranker that `auto` means."""


class Limits(NamedTuple):
    """The greatest number of results and of tokens of a search (contract, 12)."""

    results: int
    tokens: int


def limits(run: RunRecord) -> Limits:
    """20 results and 16,000 tokens; for models of the generation of gpt-3.5, 5 and 4,000."""
    small = run.model.startswith(("gpt-3.5", "gpt-35"))
    results = options(run).get("max_num_results", 5 if small else 20)
    return Limits(results, 4_000 if small else 16_000)


def ranking(run: RunRecord) -> RankingOptions:
    """The ranking of results, and their least score."""
    asked = options(run).get("ranking_options")
    return RankingOptions(ranker=RANKER, score_threshold=asked["score_threshold"] if asked else 0.0)


def options(run: RunRecord) -> FileSearchOptions:
    """The options that the run overrides."""
    for tool in run.tools:
        if tool["type"] == "file_search":
            return tool.get("file_search", {})
    return {}


def view(run: RunRecord, call: ToolCall, content: bool) -> FileSearch:
    """The answered call in the form of a step; with the texts if these are requested (contract, 5)."""
    if call.output is None:
        return {}
    results = [_result(call.output, found, content) for found in call.found or ()]
    return FileSearch(ranking_options=ranking(run), results=results)


def _result(output: str, found: Found, content: bool) -> FileSearchResult:
    result = FileSearchResult(file_id=found.file_id, file_name=found.file_name, score=found.score)
    if content:
        result["content"] = [{"type": "text", "text": output[found.start : found.end]}]
    return result
