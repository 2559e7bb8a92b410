"""The app without Core Tools: Azurite, the queue pump and a demo model. No other package imports it."""
