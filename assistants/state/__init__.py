"""The objects and their rules, stored in blobs. Independent of HTTP."""
