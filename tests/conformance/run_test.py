#!/usr/bin/env python3
"""The runner itself: what matches and what must not."""
import run


def test_json():
    assert not run.mismatch({"a": 1, "b": "-", "c": "*"}, {"a": 1, "c": None, "d": 2})
    for wanted, found in [({"a": 1}, {}), ({"a": "-"}, {"a": None}), (1, True), (None, 0), ("x", "y"), ("~^x$", "xy"), ([1], [1, 2]),
                          ([1, 2], [1]), ([1, 2, "..."], [1]), ({"a": {"b": 1}}, {"a": []})]:
        assert run.mismatch(wanted, found), f"{wanted} matched {found}"
    assert not run.mismatch([1, "..."], [1, 2, 3]) and not run.mismatch("~^\\[1", [1, 2])


def test_events():
    body = 'data: {"n": 1}\n\n: waiting\n\ndata: {"n": 2}\n\ndata: {"n": 3}\n\ndata: [DONE]\n\n'
    good = ['data: {"n": 1}', "...", 'data: {"n": 3}', "data: [DONE]"]
    assert not run.events_mismatch(good, body)
    assert not run.events_mismatch(["...", "data: [DONE]"], body)
    for bad in (good[:3], good[:1] + good[2:], good + good[3:], ["...", 'data: {"n": 4}'], good[1:2] + good[:1] + good[3:]):
        assert run.events_mismatch(bad, body), f"{bad} matched"


def test_parsing():
    steps = run.parse('@server --api-key "a b"\n\n### title\nPOST /x\nk: v\n\n{"a": "{{ab x 2}}"}\n=> 400 x 3\nh: ~1\n\n{}\n')
    assert steps[0] == ("server", ["--api-key", "a b"])
    case = steps[1][1]
    assert (case.title, case.status, case.repeat) == ("title", 400, 3)
    assert run.head_and_body(case.request[1:]) == ([("k", "v")], '{"a": "{{ab x 2}}"}')
    assert run.expand("{{ab x 2}}!") == "abab!"


if __name__ == "__main__":
    run.harness.main(__import__("__main__"))
