"""Telemetry for the operator: spans, metrics, and the ids in log lines."""
