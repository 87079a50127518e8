"""Shells, copies and tunnels: the bytes of an upgraded connection, understood as they pass, and kept.

A tap decodes both directions of one conversation. It is given what each side sent and gives back what that means and
which of the bytes may go on: those that it has understood, unchanged and in order, and no others. It changes nothing
and invents nothing. What it cannot follow ends the conversation with one error, so what ran and what is recorded are
the same.
"""
