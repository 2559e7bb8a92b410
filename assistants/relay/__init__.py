"""Answers of other services on their way to the client: as they come, in bounds, and without the operator's keys."""
