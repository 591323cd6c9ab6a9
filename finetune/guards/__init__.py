"""Trains the guards' small heads from templates and openly licensed sets: `python -m finetune.guards train`."""
