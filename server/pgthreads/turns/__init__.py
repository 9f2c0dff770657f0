"""Running turns, from the question to the stored answer."""
