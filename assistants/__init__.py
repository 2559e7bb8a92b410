"""The OpenAI Assistants API v2 over Azure storage and any chat-completions endpoint."""

import os

# Before numpy is imported. A search multiplies one vector with a matrix, which waits for memory more than for a core;
# more threads of OpenBLAS spin between two searches, and take the cores from all other requests.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
