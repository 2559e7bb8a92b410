"""Export and import of objects, with their ids, times and order. Below the API, which has two routes of it."""
