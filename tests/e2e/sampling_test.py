"""Sampling parameters through the API: what they promise about the answers, not only that they are accepted."""
import collections
import math
import sys

import harness

OPENING = "My favourite animal is the"
NUCLEUS = 0.3
REPEAT_PRONE = "Repeat: yes yes yes yes yes yes yes yes"


def complete(server, **fields):
    body = {"prompt": OPENING, "max_tokens": 1, "ignore_eos": True, **fields}
    return server.json("POST", "/v1/completions", body)


def entropy(server, temperature):
    """Of the first token, in bits, over drawn answers."""
    texts = []
    for seed in range(4):
        answer = complete(server, n=64, temperature=temperature, seed=seed)
        texts += [choice["text"] for choice in answer["choices"]]
    counts = collections.Counter(texts)
    return -sum(count / len(texts) * math.log2(count / len(texts)) for count in counts.values())


def distinct(text, n=2):
    words = text.split()
    grams = [tuple(words[i:i + n]) for i in range(len(words) - n + 1)]
    return len(set(grams)) / max(1, len(grams))


def test_temperature():
    with harness.Server() as server:
        cold, warm = entropy(server, 0.3), entropy(server, 1.0)
        assert cold < warm - 0.5, f"entropy {cold:.2f} bits at 0.3, {warm:.2f} at 1.0"
        fields = dict(temperature=0.7, max_tokens=24, seed=11)
        assert complete(server, **fields)["choices"] == complete(server, **fields)["choices"], "a seed makes an answer repeatable"
        greedy = {complete(server, temperature=0, max_tokens=24, seed=seed)["choices"][0]["text"] for seed in range(3)}
        assert len(greedy) == 1, "temperature 0 is greedy"
        for wrong in (-0.1, 2.01, "hot"):
            status, _, text = server.request("POST", "/v1/completions", {"prompt": "a", "temperature": wrong})
            assert status == 400 and '"param":"temperature"' in text, text


def test_repetition_penalty():
    with harness.Server() as server:
        def text(penalty):
            return complete(server, prompt=REPEAT_PRONE, max_tokens=96, temperature=0, repetition_penalty=penalty)["choices"][0]["text"]

        plain, penalised = distinct(text(1.0)), distinct(text(1.2))
        assert penalised > plain + 0.1, f"distinct pairs of words: {plain:.2f} at 1.0, {penalised:.2f} at 1.2"


def test_top_p():
    with harness.Server() as server:
        # Over logprobs of the unmodified distribution: all drawn tokens are in the smallest set whose mass is NUCLEUS.
        likely = complete(server, temperature=1, logprobs=20)["choices"][0]["logprobs"]["top_logprobs"][0]
        support, mass = set(), 0.0
        for token, logprob in sorted(likely.items(), key=lambda item: -item[1]):
            if mass >= NUCLEUS:
                break
            support.add(token)
            mass += math.exp(logprob)
        assert mass >= NUCLEUS, "the twenty most likely tokens are too few: choose another opening"
        drawn = {choice["text"] for seed in range(4)
                 for choice in complete(server, n=64, temperature=1, top_p=NUCLEUS, seed=seed)["choices"]}
        assert drawn <= support, f"drawn outside of the nucleus: {drawn - support}"
        assert len(drawn) > 1, "a nucleus of one token proves nothing"
        fields = dict(top_p=0.9, temperature=1, seed=3, max_tokens=16)
        assert complete(server, **fields)["choices"] == complete(server, **fields)["choices"]


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
