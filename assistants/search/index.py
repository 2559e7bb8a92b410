"""The index of a vector store: segments, which are added and merged as files are added and removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from assistants.search.segment import Flags, Segment, merged

_TIMES = 2
"""A segment is merged with the next one unless it is this many times larger: few remain, at little cost."""


@dataclass(frozen=True)
class Index:
    """Segments, the large ones first. A text is searched if `versions` has its version."""

    segments: tuple[Segment, ...] = ()
    versions: Mapping[str, str] | None = None

    @cached_property
    def nbytes(self) -> int:
        """Bytes of memory, approximately."""
        return sum(segment.nbytes for segment in self.segments)

    @cached_property
    def current(self) -> tuple[Flags, ...]:
        """For each segment, the flags of the texts that are searched."""
        return tuple(self._flags(segment) for segment in self.segments)

    def missing(self, versions: Mapping[str, str]) -> dict[str, str]:
        """The versions that are not in any segment."""
        there = {(text.file_id, text.version) for segment in self.segments for text in segment.texts}
        return {file_id: version for file_id, version in versions.items() if (file_id, version) not in there}

    def grown(self, new: Sequence[Segment], versions: Mapping[str, str]) -> Index:
        """The index with more segments, which searches these versions of files."""
        segments = list(self.segments)
        if new:
            segments.append(merged(new))
        kept: list[Segment] = []
        for segment in segments:
            kept.append(segment)
            flags = Index((), versions)._flags(segment)
            if int(segment.of_texts(flags).sum()) * _TIMES <= len(segment):
                kept[-1] = merged([segment], [flags])
            while len(kept) > 1 and len(kept[-2]) < len(kept[-1]) * _TIMES:
                last = kept.pop()
                kept[-1] = merged([kept[-1], last])
        return Index(tuple(segment for segment in kept if len(segment)), versions)

    def searched(self, chosen: Callable[[str], bool] | None) -> list[Flags | None]:
        """For each segment, the flags of the chunks of the chosen files; None: all."""
        flags = self.current if chosen is None else [self._flags(segment, chosen) for segment in self.segments]
        return [None if own.all() else segment.of_texts(own) for segment, own in zip(self.segments, flags, strict=True)]

    def _flags(self, segment: Segment, chosen: Callable[[str], bool] = lambda _: True) -> Flags:
        versions = self.versions or {}
        found = (versions.get(text.file_id) == text.version and chosen(text.file_id) for text in segment.texts)
        return np.fromiter(found, np.bool_, len(segment.texts))
