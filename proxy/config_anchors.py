"""The configuration of places that keep the log's checkpoints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from proxy.config_section import Section
from proxy.config_types import BaseUrl, Duration, PathBesideFile, ServerUrl, Text, issuer_url
from recordings.audit.anchors.cosignature import WitnessKey
from recordings.audit.note import NoteError

MAX_ANCHORS = 16
"""Each is a connection and a task."""

TargetUrl = Annotated[str, BeforeValidator(issuer_url), Field(examples=["https://anchors.example.com/kwit"])]
"""With a path; https, or http on loopback."""
KubernetesName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]


def _prefix(value: str) -> str:
    if value.startswith("/") or value.endswith("/") or "//" in value or not value.isascii():
        raise ValueError("a prefix such as kubewitness/prod, without slashes at its ends")
    return value


class AnchorSection(Section):
    """What all of them have."""

    every: Duration = Field(default=1, ge=1, le=3_600)
    """At most so often; a second is what the promise about removed records is made of."""


class FileAnchorSection(AnchorSection):
    """A directory, on something that this machine cannot change later."""

    type: Literal["file"]
    """file"""
    path: PathBesideFile
    """The directory; it must be there."""


class HttpAnchorSection(AnchorSection):
    """A URL that takes a checkpoint by POST, text/plain."""

    type: Literal["http"]
    """http"""
    url: TargetUrl
    """Any 2xx means that the checkpoint is kept."""
    token_file: PathBesideFile | None = None
    """File that holds a bearer token; read each time."""
    ca_file: PathBesideFile | None = None
    """PEM file of the CA to trust instead of the system's."""


class S3AnchorSection(AnchorSection):
    """A bucket of S3, or of a store that speaks like it."""

    type: Literal["s3"]
    """s3"""
    endpoint: BaseUrl
    """Such as https://s3.eu-central-1.amazonaws.com; the bucket stands in the path."""
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    """Its name; made with Object Lock, if retain is set."""
    prefix: Annotated[Text, AfterValidator(_prefix)] = "kubewitness"
    """What the objects' names begin with."""
    region: Text = "us-east-1"
    """Part of the signature."""
    access_key_id: Text
    """Whose key it is."""
    secret_key_file: PathBesideFile
    """File that holds the secret access key; read each time."""
    retain: Duration | None = Field(default=None, ge=60)
    """Lock each object for so long, in COMPLIANCE mode; left out: what the bucket does by itself."""
    ca_file: PathBesideFile | None = None
    """PEM file of the CA to trust instead of the system's."""


class ConfigMapAnchorSection(AnchorSection):
    """A ConfigMap of another cluster, with credentials of its own: get and patch on it."""

    type: Literal["configmap"]
    """configmap"""
    server: ServerUrl
    """The API server."""
    namespace: KubernetesName
    """Of the ConfigMap."""
    name: KubernetesName
    """Of the ConfigMap; it must be there, and hold nothing else."""
    token_file: PathBesideFile
    """File that holds a service account's token; read each time."""
    ca_file: PathBesideFile | None = None
    """PEM file of the cluster's CA."""


def _witness_key(value: str) -> str:
    try:
        WitnessKey.parse(value)
    except NoteError as error:
        raise ValueError(f"a witness's key NAME+ID+BASE64, as kwit witness prints it ({error})") from error
    return value


class WitnessAnchorSection(AnchorSection):
    """A witness, who signs a checkpoint if the log has only grown: kwit witness, or any of C2SP's tlog-witness."""

    type: Literal["witness"]
    """witness"""
    url: TargetUrl
    """To which /add-checkpoint is added."""
    key: Annotated[Text, AfterValidator(_witness_key)]
    """The witness's public key."""
    ca_file: PathBesideFile | None = None
    """PEM file of the CA to trust instead of the system's."""


AnyAnchor = Annotated[
    FileAnchorSection | HttpAnchorSection | S3AnchorSection | ConfigMapAnchorSection | WitnessAnchorSection,
    Field(discriminator="type"),
]
