"""The record: one JSON line, an envelope around an audit.k8s.io Event or a body of our own.

`{v, seq, id, time, boot, mono, type, outcome, cluster, actor, login, source, event|body}`

How it may grow: a type is never renamed or removed; a field is only added, and readers ignore fields they do not
know; a field's meaning never changes; `v` changes only when a reader of the old form would misread the new one.
`TYPES` is the one table; the docs page is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

VERSION = 1


class Outcome(StrEnum):
    """How it ended. `intent` is written before the effect; every intent gets one of the last five.

    `started` is no end: it says that a long answer has begun.
    """

    INTENT = "intent"
    STARTED = "started"
    DONE = "done"
    REFUSED = "refused"
    ABORTED = "aborted"
    FAILED = "failed"
    UNKNOWN_AFTER_CRASH = "unknown-after-crash"


class RecordType(StrEnum):
    """Every type of record."""

    KUBE_REQUEST = "kube.request"
    REQUEST_REFUSED = "request.refused"
    CONNECTION_REFUSED = "connection.refused"
    REFUSALS = "refusals.rollup"
    USER_LOGIN = "user.login"
    USER_LOGIN_FAILED = "user.login.failed"
    USER_LOGOUT = "user.logout"
    LOGIN_ENDED = "login.ended"
    CERT_ISSUE = "cert.issue"
    CERT_REFUSE = "cert.refuse"
    CLUSTER_ADD = "cluster.add"
    ROLE_CHANGE = "role.change"
    CONFIG_CHANGE = "config.change"
    RECORDING_SEAL = "recording.seal"
    STREAM_FILES = "stream.files"
    RECORDING_ACCESS = "recording.access"
    RECORDING_REMOVE = "recording.remove"
    SERVER_START = "server.start"
    LOG_START = "log.start"
    LOG_STOP = "log.stop"
    LOG_RECOVERED = "log.recovered"
    LOG_SUSPECT = "log.suspect"
    LOG_CLOCK = "log.clock"
    LOG_REMOVED = "log.removed"
    LOG_HOLD = "log.hold"
    EXPORT_LAG = "export.lag"
    AUDIT_READ = "audit.read"
    LOCK_CREATE = "lock.create"
    LOCK_DELETE = "lock.delete"
    LOCK_EXPIRE = "lock.expire"


@dataclass(frozen=True, slots=True)
class TypeRow:
    """A row of the table: what the type means, and what its `body` holds beside the envelope."""

    type: RecordType
    meaning: str
    fields: tuple[tuple[str, str], ...] = ()


_REASON = ("reason", "a member of auth.errors.Reason")
_MESSAGE = ("message", "the sentence that the person was shown")
_LOCK = (
    ("lock", "its id"),
    ("target", "whom it stops: user:NAME, group:NAME, login:ID or cluster:NAME"),
    ("reason", "why it was made"),
    ("until", "RFC 3339, its end; left out where it has none"),
    ("by", "who made it: a username, or an account of the host"),
)
_WRITER = ("writer", "the writer's name, which is its directory's")

TYPES: tuple[TypeRow, ...] = (
    TypeRow(
        RecordType.KUBE_REQUEST, "A request to a cluster; `event` is an audit.k8s.io/v1 Event whose user is the person."
    ),
    TypeRow(
        RecordType.REQUEST_REFUSED,
        "A request that was refused before anybody was known, or to the web listener by a lock or for want of a right, "
        "where it is recorded by itself.",
        (_REASON, _MESSAGE, ("detail", "which check refused it, or what was asked for")),
    ),
    TypeRow(
        RecordType.CONNECTION_REFUSED,
        "A connection that ended before its first request, where it is recorded by itself.",
        (_REASON, ("detail", "the handshake's error")),
    ),
    TypeRow(
        RecordType.REFUSALS,
        "Refusals before authentication, counted exactly.",
        (
            ("counts", "list of {reason, source, count}; source is a network, or * past the table's size"),
            ("total", "their sum"),
            ("since", "RFC 3339, the first one"),
            ("until", "RFC 3339, when they were counted up"),
        ),
    ),
    TypeRow(
        RecordType.USER_LOGIN,
        "Somebody signed in.",
        (
            ("connector", "the identity provider's name"),
            ("key", "hash of the key the login is bound to"),
            ("expires", "RFC 3339, its end"),
        ),
    ),
    TypeRow(
        RecordType.USER_LOGIN_FAILED,
        "Somebody who is known was not let in.",
        (("connector", "the identity provider's name"), _REASON, _MESSAGE),
    ),
    TypeRow(RecordType.USER_LOGOUT, "Somebody signed out.", (("reason", "how"),)),
    TypeRow(RecordType.LOGIN_ENDED, "A login was ended by the server.", (("reason", "why"),)),
    TypeRow(
        RecordType.CERT_ISSUE,
        "A certificate was issued.",
        (("serial", "hexadecimal"), ("not_after", "RFC 3339"), ("key", "hash of its public key")),
    ),
    TypeRow(RecordType.CERT_REFUSE, "A certificate was asked for and refused.", (_REASON, _MESSAGE)),
    TypeRow(
        RecordType.CLUSTER_ADD,
        "A cluster was added.",
        (("name", "its name"), ("server", "its API server's URL")),
    ),
    TypeRow(
        RecordType.ROLE_CHANGE,
        "Roles were loaded, or refused with their mistakes.",
        (
            ("roles", "names of the roles that hold now"),
            ("sha256", "of all that roles and bindings say: the same while nothing of it is another, over starts too"),
            (
                "changes",
                "list of {kind, name, change, patch}: added, removed or changed since; a JSON Patch (RFC 6902)",
            ),
            ("error", "why the files were refused; the old roles hold"),
        ),
    ),
    TypeRow(
        RecordType.CONFIG_CHANGE,
        "A cluster or setting changed while running.",
        (("what", "what changed"), ("error", "why it was refused; the old one holds")),
    ),
    TypeRow(
        RecordType.RECORDING_SEAL,
        "A recording of a shell, an attach or a copy is finished; from here on it cannot be changed unseen.",
        (
            ("recording", "its id"),
            ("sha256", "of its file, in hexadecimal"),
            ("size", "of its file, in bytes"),
            ("chunks", "how many it has"),
            ("received", "bytes from the client"),
            ("sent", "bytes to the client"),
            ("duration", "seconds"),
            ("ended", "exited, failed or unknown"),
            ("exit_code", "of the command, where it was told"),
            ("request", "the audit id of the request"),
            ("interrupted", "true where a later start sealed it, since the process that recorded came to an end"),
        ),
    ),
    TypeRow(
        RecordType.STREAM_FILES,
        "Files that a copy, or any tar in an exec, carried.",
        (
            ("recording", "its id"),
            ("request", "the audit id of the request"),
            ("files", "how many in all"),
            (
                "rows",
                "{direction, path, kind, size, mode, sha256, complete, target} of each; 200 at most in a record",
            ),
            ("doubt", "why rows may be missing"),
        ),
    ),
    TypeRow(
        RecordType.RECORDING_ACCESS,
        "Somebody opened a recording, or listed those of others, through the web listener; or was not let.",
        (
            ("recording", "its id; left out for a listing"),
            ("how", "list, show or open: what is done with it after that, nobody here knows"),
            ("of", "username of the person who was recorded"),
            ("pod", "cluster/namespace/pod"),
            ("count", "of a listing: how many recordings of others it showed"),
            ("question", "of a listing: what was asked for"),
            ("reason", "of a refusal"),
        ),
    ),
    TypeRow(
        RecordType.RECORDING_REMOVE,
        "Somebody removed a recording, or was not let; it is gone once this is on the disk.",
        (
            ("recording", "its id"),
            ("of", "username of the person who was recorded"),
            ("pod", "cluster/namespace/pod"),
            ("size", "of its file, in bytes"),
            ("sha256", "of its file, in hexadecimal"),
            ("reason", "of a refusal"),
        ),
    ),
    TypeRow(
        RecordType.SERVER_START,
        "The server began. What differs from the record before was changed while it was down.",
        (
            ("version", "of kubewitness"),
            ("config", "SHA-256 of the settings in force"),
            ("people_ca", "SHA-256 of the certificate of the CA that signs people's"),
            ("servers_ca", "of the one that signs our own listeners'"),
            ("audit_root", "public key that vouches for the log's keys"),
        ),
    ),
    TypeRow(RecordType.LOG_START, "A writer began.", (_WRITER, ("format", "the records' version"))),
    TypeRow(RecordType.LOG_STOP, "A writer ended in order.", (_WRITER,)),
    TypeRow(
        RecordType.LOG_RECOVERED,
        "What a crash left was put in order at the next start.",
        (
            ("segment", "the file"),
            ("cut_bytes", "how many bytes of an unfinished last line were cut"),
            ("cut_sha256", "their digest"),
            ("damaged_lines", "lines before that which cannot be read and were left as they are"),
            ("last_seq", "the last record that was kept"),
            ("given_up", "earlier files whose unfinished last line nothing explained, and what was cut, as above"),
            ("unsigned_lines", "whole lines behind the last checkpoint, taken over though nobody had signed them"),
            ("segment_missing", "true where `keys` speaks of a newer segment that was not there"),
        ),
    ),
    TypeRow(
        RecordType.LOG_SUSPECT,
        "A segment was given up after an error; its last records may be missing or torn.",
        (
            ("segment", "the file"),
            ("cause", "the error"),
            ("from_seq", "the first record that was never confirmed to be on the disk"),
            ("to_seq", "the last one; nobody was told that these are safe"),
        ),
    ),
    TypeRow(
        RecordType.LOG_CLOCK,
        "The wall clock went back; `seq` and `mono` give the order.",
        (("from", "RFC 3339"), ("to", "RFC 3339")),
    ),
    TypeRow(
        RecordType.LOG_REMOVED,
        "Segments are over a limit of the log's retention; they are removed once this is on the disk.",
        (
            ("removed", "list of {why, writer, segment, first_seq, last_seq, records, since, until, length, sha256}"),
            (
                "standing",
                "list of {origin, start, end, root}: all lines that are gone, now and before, of every writer",
            ),
        ),
    ),
    TypeRow(
        RecordType.LOG_HOLD,
        "The legal holds changed, which keep what is over those limits.",
        (
            ("holds", "list of {name, reason, since, until, created} that hold now"),
            ("error", "why the file of holds cannot be read; nothing is removed"),
        ),
    ),
    TypeRow(
        RecordType.EXPORT_LAG,
        "An export that the configuration names fell behind the log, lost records, or has caught up.",
        (
            ("export", "its name"),
            ("state", "behind, or caught up"),
            ("seconds", "age of the oldest record that it has not read"),
            ("limit", "how old that may be"),
            ("segment", "where that record is: writer/file"),
            ("retention_seconds", "until the log's limit of age may take that record away"),
            ("lost", "how many records were removed before it read them"),
            ("cause", "why nothing is known of it"),
        ),
    ),
    TypeRow(
        RecordType.AUDIT_READ,
        "Somebody asked the log through the web listener.",
        (("question", "what was asked"), ("how", "search, show, sql, stats, timeline, follow or export")),
    ),
    TypeRow(
        RecordType.LOCK_CREATE,
        "Somebody was locked out, at once and whatever roles say; or who asked for it was not let.",
        (
            *_LOCK,
            ("persons", "list of {issuer, subject}: whoever was known by the name, stopped under any other name too"),
            ("stopped", "how many living logins it stops as it is made"),
            ("shows_reason", "true where those who are stopped may read the reason"),
            ("refused", "why it was refused; nobody was locked out"),
        ),
    ),
    TypeRow(
        RecordType.LOCK_DELETE,
        "A lock was removed, or who asked for it was not let.",
        (*_LOCK, ("removed_by", "who removed it"), ("refused", "why it was refused; the lock holds")),
    ),
    TypeRow(RecordType.LOCK_EXPIRE, "The time of a lock was over.", _LOCK),
)
