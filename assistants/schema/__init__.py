"""The wire: requests, objects and errors of the Assistants API v2 (contract, 0 to 8, 10 and 13).

Resources, and what only the service makes (usage, errors, steps, ...), are models. What a client sends and gets back
as it was (tools, resources, content parts, ...) is a `TypedDict`: a key that was left out stays left out, and one
definition serves both sides, as it takes the strictness of the model around it: inside a `Request` unknown keys and
loose types are refused, inside an `Object` unknown keys are dropped.
"""
