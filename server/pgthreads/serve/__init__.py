"""The processes that serve: workers, and their supervisor."""
