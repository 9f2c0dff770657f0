"""The routes over HTTP, and what stands between a request and its handler."""
