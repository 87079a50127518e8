"""The steps of a request's journey, one a file, each a small callable over a RequestContext.

A step reads what earlier ones set, sets its own fields and returns None to go on or a Refusal to stop. There is no
`next`; the order is the text of `proxy.journey`.
"""
