"""What an operator sees: spans, metrics, and the ids in log lines."""
