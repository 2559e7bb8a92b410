"""The HTTP surface: one router per resource, keys, error bodies, paging."""
