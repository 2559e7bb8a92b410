"""Telling others of what has happened: after it was written, late or twice if need be, and never in its way."""
