"""How large what is read may be, and where a reader says what it left out."""

MAX_FILE_BYTES = 200 * 1024 * 1024
# The key of a reading's metadata under which its reader says what it did not read.
LEFT_OUT = "left_out"
