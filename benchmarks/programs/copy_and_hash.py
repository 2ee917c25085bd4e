"""Copy a file, hash it on the way and flush it: ``python copy_and_hash.py SOURCE TARGET``."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

digest = hashlib.sha256()
with Path(sys.argv[1]).open("rb") as source, Path(sys.argv[2]).open("wb") as target:
    while piece := source.read(4 * 1024 * 1024):
        digest.update(piece)
        target.write(piece)
    target.flush()
    os.fsync(target.fileno())
print(digest.hexdigest())
