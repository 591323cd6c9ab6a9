"""Experiments: who meets which arm, that he met it, whether the arm is what it should be, and what may be concluded."""
