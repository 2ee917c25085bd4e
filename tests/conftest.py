"""What every test stands on."""

from __future__ import annotations

import signal

# A shell ignores SIGINT in what it starts in the background, and children inherit that: tests send it on purpose.
signal.signal(signal.SIGINT, signal.default_int_handler)
