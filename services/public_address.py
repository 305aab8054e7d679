"""Which internet address a host name stands for, unless it leads into a private network.

Who connects must connect to what this returned: a name that is looked up again may stand for another address
by then (DNS rebinding).
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
# All of IPv6 that is given out to the internet (RFC 4291, section 2.4; IANA's registry). What lies outside is
# for sites, translators and tests, and older Pythons know only some of it.
_UNICAST = IPv6Network("2000::/3")
# In IANA's special-purpose registries, and taken for global by older Pythons.
_SPECIAL = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments
    IPv4Network("192.88.99.0/24"),  # relays of 6to4, no more in use
    IPv6Network("3fff::/20"),  # documentation
)


class HostUnknown(OSError):
    """The name has no address, at the moment."""


class PrivateAddress(Exception):
    """The name stands for a private, loopback, link-local or otherwise not public address."""

    permanent = True


def resolve(host: str, port: int, *, allow_private: bool = False) -> list[str]:
    """All addresses of the host, in the system's order. Raises `HostUnknown`, `PrivateAddress`.

    One address that is not public refuses the host: nobody mixes them for a good reason.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise HostUnknown(f"{host} has no address: {error}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not allow_private and not is_public(address):
            raise PrivateAddress(f"{host} stands for {address}, which is not a public address")
    return addresses


def is_public(address: str) -> bool:
    """Whether anybody on the internet may be there. Addresses within addresses count too (NAT64, 6to4)."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    inner = _within(ip)
    return _is_public(ip) and (inner is None or _is_public(inner))


def _is_public(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv6Address) and not (ip in _UNICAST or ip in _NAT64):
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _SPECIAL)


def _within(ip: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(ip, IPv4Address):
        return None
    if ip in _NAT64:
        return IPv4Address(ip.packed[-4:])
    return ip.sixtofour
