"""The addresses that a webhook may have: public ones, and those of hosts that the operator lists."""

import asyncio
import ipaddress
import socket

_PLATFORM = ipaddress.ip_address("168.63.129.16")
"""Azure's own services for a machine, at an address in the public range."""

_EMBEDDING = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")))
"""IPv6 addresses that translate to IPv4 ones (RFC 6052; RFC 4291, 2.5.5.1; RFC 2765)."""

_NEVER = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "64:ff9b:1::/48", "fec0::/10", "5f00::/16")))
"""Addresses that are not public, in any version of Python (RFC 6890, 8215, 3879, 9602)."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """The host has a private address, or no address."""


def is_public(address: Address) -> bool:
    """Whether an address is public; a translated address counts as the one that it translates to."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        if any(address in network for network in _EMBEDDING):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner:
            return is_public(inner)
    if any(address in network for network in _NEVER):
        return False
    return address.is_global and not address.is_multicast and address != _PLATFORM


async def address_of(host: str, port: int, listed: bool) -> str:
    """The address to connect to, resolved once, so that a later DNS answer cannot change it.

    Parameters
    ----------
    listed
        The host may have private addresses.

    Raises
    ------
    Refused
        The host has a private address and is not listed, or its name is unknown.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Refused(f"{host}: {error.strerror}") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not listed and not all(is_public(ipaddress.ip_address(each.partition("%")[0])) for each in addresses):
        raise Refused(f"{host} has a private address and is not in WEBHOOK_HOSTS")
    return addresses[0]
