"""How large what is read may be."""

MAX_FILE_BYTES = 200 * 1024 * 1024
