"""Creates the database and the role that have to exist before the first migration."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from .error import EmbeddedError
from .passwords import Passwords

SUPERUSER = "postgres"
DATABASE = "pgthreads"
APP_ROLE = "pgthreads_app"


def conninfo(port: int, user: str, password: str, database: str = DATABASE, **more: Any) -> str:
    """A libpq connection string for the PostgreSQL that listens on `port` of 127.0.0.1."""
    if psycopg.pq.version() >= 160000:
        # If another program listens there, it does not get a password that it could read.
        more["require_auth"] = "scram-sha-256"
    return make_conninfo(
        host="127.0.0.1",
        port=port,
        user=user,
        password=password,
        dbname=database,
        sslmode="disable",
        gssencmode="disable",
        **more,
    )


def prepare_database(port: int, passwords: Passwords) -> None:
    """Create the role and the database if they do not exist. Raises psycopg.Error."""
    dsn = conninfo(port, SUPERUSER, passwords.superuser, "postgres")
    with psycopg.connect(dsn, autocommit=True) as connection:
        if _is_missing(connection, "pg_roles", "rolname", APP_ROLE):
            # A statement that fails is logged, so it has the hash and not the password.
            secret = connection.pgconn.encrypt_password(
                passwords.app.encode(), APP_ROLE.encode(), b"scram-sha-256"
            )
            statement = sql.SQL("create role {} login password {}")
            connection.execute(
                statement.format(sql.Identifier(APP_ROLE), sql.Literal(secret.decode()))
            )
        if _is_missing(connection, "pg_database", "datname", DATABASE):
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))


def grant_server_role(admin_dsn: str) -> None:
    """Make the application's role a member of `pgthreads_server`. Raises EmbeddedError."""
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        try:
            connection.execute(
                sql.SQL("grant pgthreads_server to {}").format(sql.Identifier(APP_ROLE))
            )
        except psycopg.errors.UndefinedObject as error:
            raise EmbeddedError(
                "the role pgthreads_server is not there yet", "install the schema first"
            ) from error


def end_leases(admin_dsn: str) -> None:
    """End the leases of all turns: nobody but the server that is starting uses this database.

    An answer that is still in the spool is stored all the same. What else there is of a turn goes
    into its thread once somebody looks at it or goes on with it.
    """
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        connection.execute(
            "update pgthreads.turn set lease_until = clock_timestamp()"
            " where status = 'running' and lease_until > clock_timestamp()"
        )


def _is_missing(
    connection: psycopg.Connection[tuple[Any, ...]], catalog: str, column: str, name: str
) -> bool:
    query = sql.SQL("select from {} where {} = {}").format(
        sql.Identifier(catalog), sql.Identifier(column), name
    )
    return connection.execute(query).rowcount == 0
