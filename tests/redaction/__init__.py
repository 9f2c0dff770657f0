"""What redaction finds and what it leaves alone: a corpus, its figures, and how the cost grows."""
