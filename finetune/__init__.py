"""LoRA domain adaptation. Training libraries stay in this package."""
