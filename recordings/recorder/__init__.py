"""What is kept of a stream: its container file, the writer that fills it, the reader that gives it back."""
