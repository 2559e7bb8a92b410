"""The models of the API: requests, objects and errors of the Assistants API v2 (contract, 0 to 8, 10 and 13).

Resources, and objects that only the service makes (usage, errors, steps, ...), are models. Objects that a client sends
and gets back unchanged (tools, resources, content parts, ...) are `TypedDict`s: a key that was left out stays left
out. One definition serves both sides, as it takes the strictness of the model around it: inside a `Request` unknown
keys and loose types are refused, inside an `Object` unknown keys are dropped.
"""
