"""Checks whether a server could listen at an address, before anything is started for it."""

from __future__ import annotations

import errno
import os
import socket

from ..errors import OperatorError


class PortError(OperatorError):
    """No server can listen at the address."""


def require_free_port(host: str, port: int) -> None:
    """Raise PortError if no server could listen there at the moment."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise PortError(f"--host {host}: {error.strerror}") from error
    for family, kind, protocol, _, address in addresses:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind(address)
                probe.listen(1)
            except OSError as error:
                raise _why_not(error, host, port) from error


def _why_not(error: OSError, host: str, port: int) -> PortError:
    if error.errno == errno.EADDRINUSE:
        return PortError(
            f"port {port} of {host} is in use by another program",
            f"try --port {port + 1 if port < 65535 else 8080}, or --port 0 for a free one",
        )
    return PortError(
        f"cannot listen on {host}, port {port}: {os.strerror(error.errno or 0)}",
        "to listen on a port below 1024 takes a privilege" if error.errno == errno.EACCES else "",
    )
