"""Where a group's server is, whether it may be spoken to, and with which token.

Only this machine is spoken to until a person names another host in the settings. A token comes
from the environment or the system keyring, is never written or printed, and never crosses a
network in the clear. Knows nothing of Chroma.
"""

from __future__ import annotations

import ipaddress
import os
import urllib.request
from dataclasses import dataclass
from urllib.parse import urlsplit

from glassllava.errors import LiteratureUnavailable

_TOKEN = "GLASSVIEW_LIBRARY_TOKEN"  # noqa: S105 (the name of a variable)
_KEYRING = "glassview library"


@dataclass(frozen=True, slots=True)
class LibrarySettings:
    """[library] in glassview.toml: which library where none is named, and whom it may speak to.

    `place` is a folder or http(s)://HOST:PORT; `hosts` are servers beyond this machine.
    """

    place: str = ""
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Address:
    """A server's place; `loopback` is this very machine."""

    scheme: str
    host: str
    port: int

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def is_address(place: str) -> bool:
    return place.lower().startswith(("http://", "https://"))


def address_of(place: str, allowed: tuple[str, ...]) -> Address:
    """The address in `place`, if it may be spoken to.

    Raises
    ------
    LiteratureUnavailable : for what is no http(s)://HOST:PORT, and for a host beyond this machine
        that is not among `allowed`.
    """
    try:
        parts = urlsplit(place)
        port = parts.port or (443 if parts.scheme == "https" else 8000)
    except ValueError:
        parts, port = urlsplit(""), 0
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise LiteratureUnavailable(
            "This is not the address of a library's server",
            where=_without_secret(place),
            remedy="Write http://HOST:PORT or https://HOST:PORT.",
        )
    if parts.username is not None or parts.password is not None:
        raise LiteratureUnavailable(
            "A name or a password in the address would be seen by everyone",
            where=_without_secret(place),
            remedy=f"Give a token in {_TOKEN}, or keep it in the system keyring.",
        )
    address = Address(parts.scheme.lower(), parts.hostname, port)
    if not address.loopback and address.host not in {host.lower() for host in allowed}:
        raise LiteratureUnavailable(
            f"GlassView speaks to no host but this machine unless it is told to: {address.host}",
            where=address.url,
            remedy=f'Allow it in glassview.toml: under [library] write hosts = ["{address.host}"].',
        )
    if address.loopback and _goes_through_proxy(address):
        raise LiteratureUnavailable(
            "The environment sends requests to this very machine through a proxy",
            where=address.url,
            remedy=f"Set NO_PROXY={address.host}.",
        )
    return address


def token_for(address: Address) -> str | None:
    """The token that this server wants; None where none is kept.

    Raises
    ------
    LiteratureUnavailable : where it would cross a network in the clear.
    """
    token = os.environ.get(_TOKEN) or _from_keyring(address.host)
    if token and address.scheme == "http" and not address.loopback:
        raise LiteratureUnavailable(
            "The token would cross the network in the clear",
            where=address.url,
            remedy="Use https://, or unset the token if the server wants none.",
        )
    return token


def _from_keyring(host: str) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        return keyring.get_password(_KEYRING, host)
    except KeyringError:
        return None  # no keyring on this machine: the server may want no token


def _goes_through_proxy(address: Address) -> bool:
    proxies = urllib.request.getproxies()
    used = address.scheme in proxies or "all" in proxies
    return used and not urllib.request.proxy_bypass(address.host)


def _without_secret(place: str) -> str:
    scheme, mark, rest = place.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"
