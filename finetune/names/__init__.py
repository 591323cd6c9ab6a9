"""How the name model is made: templates, made-up values, training."""
