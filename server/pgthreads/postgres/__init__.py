"""Calls of the SQL functions, the connections for them, and the installation of the schema."""
