"""Notifications of changes, sent after the write, possibly late or twice, without delaying it."""
