"""Start one process and say what it cost: a program of its own, as small as Python gets.

On Linux the peak of a process begins with the size of whoever started it: a large one must not start what is measured.
Reads one line of JSON (``args``, ``cwd``, ``env``, ``log``). Writes a line with the ``pid``, and when that process has
ended one with ``started_at`` (Unix time), ``wall_seconds``, ``cpu_seconds``, ``peak_kib`` and ``exit_code``.
"""

import json
import os
import signal
import sys
import time

asked = json.loads(sys.stdin.readline())
output = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
os.chdir(asked["cwd"])
started_at, start = time.time(), time.monotonic()
pid = os.posix_spawnp(
    asked["args"][0],
    asked["args"],
    asked["env"],
    file_actions=[
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    ],
)
# Ctrl-C reaches the process by itself; a SIGTERM is passed on. Either way its end is waited for.
signal.signal(signal.SIGINT, lambda *_: None)
signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
print(json.dumps({"pid": pid}), flush=True)
_, status, usage = os.wait4(pid, 0)
cost = {
    "started_at": started_at,
    "wall_seconds": time.monotonic() - start,
    "cpu_seconds": usage.ru_utime + usage.ru_stime,
    "peak_kib": usage.ru_maxrss,
    "exit_code": os.waitstatus_to_exitcode(status),
}
print(json.dumps(cost), flush=True)
