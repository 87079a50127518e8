"""Bodies of requests and answers as a record holds them: decoded, without secrets, bounded."""
