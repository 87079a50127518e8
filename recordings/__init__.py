"""What is written down, and read back.

A record names who did what, when, from where, under which role, and how it ended. It is written before the effect it
describes. What it cannot say: what a program started in a pod did after the shell that started it was recorded.
"""
