"""The texts of files, by format: one module for each. They import only the libraries of their formats."""
