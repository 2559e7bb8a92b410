"""The model's code, executed by an engine: a pool of Azure Container Apps, or a confined process."""
