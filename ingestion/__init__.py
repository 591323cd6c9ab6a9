"""From a company's documents to a released index: load, clean, scrub, chunk, embed, index, release."""
