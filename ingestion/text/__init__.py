"""What holds for any text: characters, sentences, language."""
