"""The engine that executes code in a pool of Azure Container Apps dynamic sessions."""
