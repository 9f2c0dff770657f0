"""What redaction finds and what it leaves: a corpus, its figures, and how its cost grows."""
