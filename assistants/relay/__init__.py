"""Forwards answers of other services to the client: as they arrive, bounded, and without the operator's keys."""
