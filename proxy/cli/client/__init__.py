"""What the engineer's commands share: the login on disk, its key and certificates, and the way to the server."""
