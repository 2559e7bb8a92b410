"""Addresses that a webhook may have: those of the internet, and no others unless an operator lists the host."""

import asyncio
import ipaddress
import socket

_PLATFORM = ipaddress.ip_address("168.63.129.16")
"""Azure's own services for a machine, at an address that is otherwise a public one."""

_EMBEDDING = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")))
"""IPv6 addresses that stand for the IPv4 one at their end (RFC 6052; RFC 4291, 2.5.5.1; RFC 2765)."""

_NEVER = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "64:ff9b:1::/48", "fec0::/10", "5f00::/16")))
"""Of one network or machine, whatever the version of Python says (RFC 6890, 8215, 3879, 9602)."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """The host has a private address, or none."""


def is_public(address: Address) -> bool:
    """Whether an address is on the internet; one that stands for another is what that one is."""
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
    """The address to connect to: resolved once, so that no later answer of the name's owner matters.

    Parameters
    ----------
    listed
        The host may have private addresses.

    Raises
    ------
    Refused
        It has one and is not listed, or the name is unknown.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Refused(f"{host}: {error.strerror}") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not listed and not all(is_public(ipaddress.ip_address(each.partition("%")[0])) for each in addresses):
        raise Refused(f"{host} has a private address and is not in WEBHOOK_HOSTS")
    return addresses[0]
