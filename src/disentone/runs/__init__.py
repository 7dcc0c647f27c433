"""Runs: from a recipe to a folder with a model, its audit and its report."""
