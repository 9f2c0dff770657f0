"""The keys under which an aiohttp application and a request keep the parts of pgthreads."""

from __future__ import annotations

from aiohttp import web

from ..events import Executor
from ..postgres.threads import Threads
from ..settings import Settings
from ..turns.runtime import TurnRuntime
from .auth import Authenticator
from .limits import Limits
from .metrics import Metrics

SETTINGS = web.AppKey("settings", Settings)
THREADS = web.AppKey("threads", Threads)
RUNTIME = web.AppKey("runtime", TurnRuntime)
"""The turns of this worker. It is there once the application has started."""
METRICS = web.AppKey("metrics", Metrics)
EXECUTOR = web.AppKey("executor", Executor)
LIMITS = web.AppKey("limits", Limits)
SHARE_LIMITS = web.AppKey("share_limits", Limits)
"""Counts requests by address, and not by user, because readers of links have no account."""
AUTHENTICATOR = web.AppKey("authenticator", Authenticator)

OWNER = web.RequestKey("owner_user_id", str)
STATE_KEY = web.RequestKey("state_key", str)
