"""What makes files searchable: their text, its chunks, and the bytes that hold them. Knows nothing of HTTP or runs."""
