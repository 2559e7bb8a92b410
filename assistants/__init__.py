"""The OpenAI Assistants API v2 over Azure storage and any chat-completions endpoint."""

import os

# Set before numpy is imported. A search multiplies one vector with a matrix, which is limited by memory, not by cores;
# more threads of OpenBLAS spin between two searches, and take the cores from all other requests.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
