"""Who is this, and may they: everything that decides, and nothing that moves bytes.

A person signs in (`login`, `connectors`), which makes a :class:`~auth.identity.Login`. A login obtains certificates
(`ca`), each for one cluster. The certificate proves possession of a key; the live login record decides, at every
request, whether the person is still welcome (`client_cert`, `state`). What they may do is said by roles (`rbac`).

Nothing here writes audit records: functions return what happened, with its reason, and the caller records it.
"""
