"""The HTTP routes, and everything between a request and its handler."""
