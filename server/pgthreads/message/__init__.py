"""What a message is made of: from the events of an executor to parts, and to the wire."""
