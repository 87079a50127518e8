"""What can be done with a recording: play it, read it as text, search it, export it."""
