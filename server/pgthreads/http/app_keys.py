"""Where an aiohttp application, and a request, keeps the parts of pgthreads."""

from __future__ import annotations

from aiohttp import web

from ..events import Executor
from ..postgres.threads import Threads
from ..settings import Settings
from ..turns.followed import Followers
from ..turns.running import Pumps
from ..turns.spool import Spool
from ..turns.ticker import Ticker
from .auth import Authenticator
from .limits import Limits
from .metrics import Metrics

SETTINGS = web.AppKey("settings", Settings)
THREADS = web.AppKey("threads", Threads)
TURNS = web.AppKey("turns", Threads)
"""The same over connections of their own, which requests cannot use up: for running turns."""
HEARTBEATS = web.AppKey("heartbeats", Threads)
"""The same over a connection that neither requests nor answers can use up."""
SPOOL = web.AppKey("spool", Spool)
"""Not there without `spool_dir`."""
TICKER = web.AppKey("ticker", Ticker)
FOLLOWERS = web.AppKey("followers", Followers)
PUMPS = web.AppKey("pumps", Pumps)
METRICS = web.AppKey("metrics", Metrics)
EXECUTOR = web.AppKey("executor", Executor)
LIMITS = web.AppKey("limits", Limits)
AUTHENTICATOR = web.AppKey("authenticator", Authenticator)

OWNER = web.RequestKey("owner_user_id", str)
STATE_KEY = web.RequestKey("state_key", str)
