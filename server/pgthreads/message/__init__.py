"""Messages: events become the parts of a stored message and the frames of a stream."""
