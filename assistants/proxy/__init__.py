"""The other implementation: the same API at another endpoint, whose answers are checked and passed on unchanged.

It knows the wire and nothing of storage, of the engine, or of the routes: those of `assistants.api` call it.
"""
