import asyncio
import json

import pytest

from proxy.config import Config
from proxy.log_anchors import LogAnchors, anchor_of
from proxy.operations import Check
from recordings.audit.anchors.anchor import AnchorError
from recordings.audit.anchors.configmap_anchor import ConfigMapAnchor
from recordings.audit.anchors.file_anchor import FileAnchor
from recordings.audit.anchors.http_anchor import HttpAnchor
from recordings.audit.anchors.s3_anchor import S3Anchor
from tests.proxy.test_config_anchors import S3, TEXT
from tests.recordings.audit.anchors.conftest import checkpoint
from tests.recordings.audit.conftest import Bench


def config(folder, anchors):
    return Config.parse(TEXT % anchors, path=folder / "kwit.yaml")


def log_anchors(folder, anchors, now=lambda: 0.0):
    return LogAnchors(config(folder, anchors), clock=now, mono=now, say=lambda _line: None)


async def test_what_the_log_holds_at_its_end_is_anchored(tmp_path):
    (tmp_path / "kept").mkdir()
    bench = Bench(tmp_path / "kwit-data" / "audit" / "node-0", is_signed=True, origin="example/node-0")
    log = bench.log()
    await log.open()
    anchors = log_anchors(tmp_path, "{type: file, path: kept}")
    anchors.start()
    await log.close()
    await anchors.stop()
    last = json.loads((bench.directory / f"{1:020d}.ndjson").read_text().splitlines()[-1])
    assert json.loads((tmp_path / "kept" / "example__node-0.checkpoints").read_text().splitlines()[-1]) == last
    name = f"file:{tmp_path / 'kept'}"
    assert anchors.checks() == [Check(f"anchor-{name}", "", fatal=False)]
    assert f'kwit_anchor_failures_total{{anchor="{name}"}} 0\n' in anchors.page()
    assert anchors.page().count("# TYPE") == 3


async def test_an_anchor_that_fails_or_is_slow_is_an_alarm_and_takes_nobody_out_of_service(tmp_path):
    bench = Bench(tmp_path / "kwit-data" / "audit" / "node-0", is_signed=True, origin="example/node-0")
    log = bench.log()
    await log.open()
    await log.close()
    now = [0.0]
    anchors = log_anchors(tmp_path, "{type: file, path: absent}", lambda: now[0])
    await anchors.stop()
    (check,) = anchors.checks()
    assert (check.fatal, check.problem) == (
        False,
        f"{tmp_path / 'absent'} cannot be written: No such file or directory",
    )
    anchors._publisher.standings[0].problem = ""
    now[0] = 31.0
    assert anchors.checks()[0].problem == "has not had the newest checkpoint for 31 s"
    assert "_behind_seconds{" in anchors.page()
    assert anchors.page().endswith(" 31\n")


async def test_without_anchors_nothing_runs(tmp_path):
    anchors = log_anchors(tmp_path, "")
    before = len(asyncio.all_tasks())
    anchors.start()
    assert (len(asyncio.all_tasks()), anchors.checks(), anchors.page()) == (before, [], "")
    await anchors.stop()


async def test_each_kind_is_made_with_its_secrets_read_when_they_are_used(tmp_path):
    (tmp_path / "t").write_text("")
    (tmp_path / "kept").mkdir()
    whole = config(
        tmp_path,
        "{type: file, path: kept}, {type: http, url: 'http://127.0.0.1:1/x', token_file: t}, "
        + S3 % ""
        + ", {type: configmap, server: 'https://127.0.0.1:1', namespace: audit, name: kwit, token_file: none}",
    )
    made = [anchor_of(section, whole, lambda: 0.0) for section in whole.audit.anchors]
    assert [type(one) for one in made] == [FileAnchor, HttpAnchor, S3Anchor, ConfigMapAnchor]
    said = []
    for one in made[1:]:
        with pytest.raises(AnchorError) as caught:
            await one.publish(checkpoint(1))
        said.append(str(caught.value))
        await one.close()
    assert said == [
        f"{tmp_path / 't'} holds no token",
        f"{tmp_path / 'b'} cannot be read: No such file or directory",
        f"{tmp_path / 'none'} cannot be read: No such file or directory",
    ]
