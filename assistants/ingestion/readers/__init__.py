"""The texts of files, by format: one module for each. They import the libraries of their formats and nothing else."""
