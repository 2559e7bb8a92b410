"""Export and import of objects, with their ids, times and order. The API uses it for two routes."""
