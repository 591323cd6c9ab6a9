"""Models that guards ask: heads, the cross-encoder, any Hugging Face classifier."""
