"""`python -m tests.linear [NAME…]`: every superlinear pair of the readers, or of those whose names hold one of the words."""

import json
import sys
import time

from tests.linear.readers import readers
from tests.linear.sweep import forms_for, superlinear


def main(names: list[str]) -> int:
    """Print the table and a last line of JSON; 1 when there is a pair."""
    found = tried = 0
    for reader in readers():
        if names and not any(name in reader.name for name in names):
            continue
        begun = time.perf_counter()
        forms = forms_for(reader)
        count = 0
        for pair in superlinear(reader, forms):
            print(pair, flush=True)
            count += 1
        tried += len(forms)
        found += count
        print(
            f"{reader.name:32} {count} of {len(forms)} forms in {time.perf_counter() - begun:.1f} s",
            flush=True,
        )
    print(json.dumps({"metrics": {"linear.superlinear": {"value": found, "n": tried}}}))
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
