"""Blobs and queues: documents with ETags, append-only logs, ids, items. Knows nothing of assistants."""
