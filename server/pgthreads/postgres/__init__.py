"""The calls of the SQL functions, and the connections that they go over."""
