"""Code is executed by a pool of Azure Container Apps dynamic sessions."""
