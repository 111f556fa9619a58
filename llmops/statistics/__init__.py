"""Intervals, paired comparisons, the judgement of gate rules, power, sequential tests and the calibration of judges.

Pure functions over plain sequences. A case is the independent unit: repeats of one case form a cluster. `confidence` is
two-sided unless a function says otherwise; a gate rule at one-sided 0.95 reads the two-sided 90 % interval.
"""
