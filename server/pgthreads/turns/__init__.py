"""Turns that run: from the question to the stored answer."""
