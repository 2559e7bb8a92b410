"""The search in files: text, chunks, their stored bytes, ranking. Independent of HTTP and runs."""
