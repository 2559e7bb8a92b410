"""Blobs and queues: documents with ETags, append-only logs, ids, items. Independent of the Assistants API."""
