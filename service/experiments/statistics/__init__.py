"""The statistics of experiments: numbers in, numbers out. Knows no database, no HTTP and no settings.

`estimate` makes an effect and its standard error of an experiment's units; `decide` makes the verdict of it.
"""
