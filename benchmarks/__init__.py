"""Speed and accuracy, each a command that prints a table.

A package, so that `benchmarks.statistics` is not taken for the standard library's `statistics`.
"""
