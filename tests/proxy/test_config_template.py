from pathlib import Path

import yaml

from proxy.config import Config, config_schema
from proxy.config_template import render

EXAMPLE = Path(__file__).parents[2] / "deploy" / "examples" / "kwit.yaml"
VALUES = {
    "installation": "example",
    "data_dir": "/var/lib/kwit",
    "kube": {"address": "0.0.0.0:8443", "url": "https://kube.example.com:8443"},
    "web": {"address": "0.0.0.0:8444", "url": "https://kwit.example.com:8444"},
    "connectors": [
        {
            "type": "oidc",
            "name": "corp",
            "issuer": "https://login.example.com",
            "client_id": "kwit",
            "client_secret_file": "/etc/kwit/client-secret",
        },
        {
            "type": "github",
            "name": "github",
            "client_id": "Iv1.example",
            "client_secret_env": "KWIT_GITHUB_SECRET",
            "organizations": ["example"],
        },
    ],
}


def uncommented(text: str) -> str:
    """Every setting that stands at its default, put in force."""
    lines = []
    for line in text.splitlines():
        bare = line.lstrip()
        comment = bare.startswith("# ") or bare == "#"
        lines.append("" if comment else line.replace("#", "", 1) if bare.startswith("#") else line)
    return "\n".join(lines)


def test_the_example_is_what_the_model_renders():
    assert EXAMPLE.read_text(encoding="utf-8") == render(VALUES)


def test_the_example_loads_as_the_values_it_was_made_from():
    written = yaml.safe_dump(VALUES)
    assert Config.load(EXAMPLE) == Config.parse(written, path=EXAMPLE)


def test_the_defaults_in_the_comments_are_the_defaults_in_force():
    path = Path("/etc/kwit.yaml")
    assert Config.parse(uncommented(render(VALUES)), path=path) == Config.parse(render(VALUES), path=path)


def test_every_setting_stands_in_the_example_with_its_meaning():
    text = render(VALUES)
    schema = config_schema()
    sections = [schema, *(one for one in schema["$defs"].values() if "properties" in one)]
    for section in sections:
        for key, about in section["properties"].items():
            assert about.get("description"), f"{key} has no description"
            assert f"{key}:" in text, f"{key} is not in the example"


def test_values_that_yaml_would_read_otherwise_are_quoted():
    for value in ("yes", "1e3", "0x10", "12:30", "null", "a b", "*x", "2026-01-01", "#x", "kwit"):
        text = render({**VALUES, "installation": value})
        assert yaml.safe_load(text)["installation"] == value
