"""How often somebody may do something: counted for each address, so that nobody locks others out."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict, deque
from collections.abc import Callable

from orchestrator.core.clocks import stopwatch

MOST_ADDRESSES = 4096


class Rates:
    """At most ``most`` calls a minute from each address; of addresses, those that called last are remembered.

    >>> rates = Rates(1)
    >>> rates.allows("192.0.2.1"), rates.allows("192.0.2.1"), rates.allows("192.0.2.2")
    (True, False, True)
    >>> rates.take_back("192.0.2.1"); rates.allows("192.0.2.1")
    True
    """

    def __init__(self, most: int, *, addresses: int = MOST_ADDRESSES, watch: Callable[[], float] | None = None) -> None:
        self._most, self._addresses = most, addresses
        self._calls: OrderedDict[str, deque[float]] = OrderedDict()
        self._watch = stopwatch() if watch is None else watch
        self._lock = threading.Lock()

    def allows(self, address: str) -> bool:
        """Count a call, and tell whether it is not one too many."""
        now = self._watch()
        with self._lock:
            calls = self._calls.setdefault(network(address), deque())
            self._calls.move_to_end(network(address))
            while len(self._calls) > self._addresses:
                self._calls.popitem(last=False)
            while calls and calls[0] < now - 60:
                calls.popleft()
            if len(calls) >= self._most:
                return False
            calls.append(now)
            return True

    def take_back(self, address: str) -> None:
        """Count the newest call no more."""
        with self._lock:
            calls = self._calls.get(network(address))
            if calls:
                calls.pop()


def network(address: str) -> str:
    """Return what counts as one address: of IPv6 the first half, because a household has all of the second.

    >>> network("192.0.2.1"), network("2001:db8::1:2"), network("::ffff:192.0.2.1"), network("somebody")
    ('192.0.2.1', '2001:db8::', '192.0.2.1', 'somebody')
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    assert isinstance(found, ipaddress.IPv6Address)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(found) >> 64 << 64))
