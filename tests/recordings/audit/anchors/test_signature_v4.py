"""Claims about AWS signatures: the example of Amazon's documentation, and what a change in any part does to it."""

from __future__ import annotations

import pytest

from recordings.audit.anchors.signature_v4 import AccessKey, encoded_path, encoded_query, signed_headers

KEY = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
URL = "https://examplebucket.s3.amazonaws.com" + encoded_path("/test$file.text")
HEADERS = {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}
NOW = 1_369_353_600.0
BODY = b"Welcome to Amazon S3."
SIGNATURE = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"


def test_the_example_of_the_documentation() -> None:
    headers = signed_headers(KEY, "PUT", URL, HEADERS, body=BODY, now=NOW)
    assert headers == {
        **HEADERS,
        "Host": "examplebucket.s3.amazonaws.com",
        "x-amz-date": "20130524T000000Z",
        "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        "Authorization": (
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
            f"Signature={SIGNATURE}"
        ),
    }


@pytest.mark.parametrize(
    ("query", "signature"),
    [
        (encoded_query(lifecycle=""), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        (
            encoded_query(**{"prefix": "J", "max-keys": "2"}),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_the_documentations_examples_with_a_query(query: str, signature: str) -> None:
    url = f"https://examplebucket.s3.amazonaws.com/?{query}"
    headers = signed_headers(KEY, "GET", url, {}, body=b"", now=NOW)
    assert headers["Authorization"].endswith(f"Signature={signature}")


def test_what_a_query_holds_is_escaped() -> None:
    assert encoded_query(prefix="a/b c+~", empty="") == "prefix=a%2Fb%20c%2B~&empty="


@pytest.mark.parametrize(
    ("method", "url", "headers", "body", "now"),
    [
        ("GET", URL, HEADERS, BODY, NOW),
        ("PUT", URL + "x", HEADERS, BODY, NOW),
        ("PUT", URL.replace("https://e", "https://f"), HEADERS, BODY, NOW),
        ("PUT", URL, {**HEADERS, "Date": "x"}, BODY, NOW),
        ("PUT", URL, HEADERS, BODY + b".", NOW),
        ("PUT", URL, HEADERS, BODY, NOW + 1),
    ],
)
def test_each_part_is_signed(method: str, url: str, headers: dict[str, str], body: bytes, now: float) -> None:
    assert SIGNATURE not in signed_headers(KEY, method, url, headers, body=body, now=now)["Authorization"]


def test_the_secret_shows_in_no_representation() -> None:
    assert KEY.secret not in repr(KEY)
