"""The proxy backend: the same API at another endpoint, whose answers are checked and passed on unchanged.

It depends on the API's models only, not on storage, the engine or the routes; the routes of `assistants.api` call it.
"""
