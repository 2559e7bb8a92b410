"""The objects and their rules. Knows storage, knows nothing of HTTP."""
