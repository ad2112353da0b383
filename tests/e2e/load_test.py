"""A thousand streams at once on the real binary: every one ends with [DONE], memory stays bounded, metrics agree.

Bounded: 1,000 streams of at most 8 tokens, once. Loopback only.
"""
import asyncio
import json
import resource
import sys

import harness

STREAMS = 1000 // harness.SLOWDOWN
TOKENS = 8
SECONDS_MAX = 200 * harness.SLOWDOWN


async def one_stream(port, model, number):
    """(status, whether [DONE] came, usage) of one streamed chat completion."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"model": model, "stream": True, "max_tokens": TOKENS, "temperature": 0, "stream_options": {"include_usage": True},
                       "messages": [{"role": "user", "content": f"Say the number {number}"}]})
    writer.write(f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
                 f"content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode())
    await writer.drain()
    data = await reader.read(-1)
    writer.close()
    usage = None
    for line in data.split(b"\n"):
        if line.startswith(b'data: {') and b'"usage":{' in line:
            usage = json.loads(line[6:])["usage"]
    return int(data.split(b" ", 2)[1]), b"data: [DONE]" in data, usage


def test_a_thousand_streams():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    with harness.Server() as server:
        model = server.model_name()

        async def all_streams():
            return await asyncio.wait_for(asyncio.gather(*(one_stream(server.port, model, i) for i in range(STREAMS))), SECONDS_MAX)

        results = asyncio.run(all_streams())
        failed = [result for result in results if result[0] != 200 or not result[1]]
        assert not failed, f"{len(failed)} of {STREAMS} streams failed, the first: {failed[0]}"
        answered = sum(usage["completion_tokens"] for _, _, usage in results)
        prompted = sum(usage["prompt_tokens"] for _, _, usage in results)
        assert server.metric("vllm:generation_tokens_total") == answered
        assert server.metric("vllm:prompt_tokens_total") == prompted
        assert server.metric("vllm:e2e_request_latency_seconds_count") == STREAMS
        assert server.metric("vllm:num_requests_running") == 0
        resident = server.metric("process_resident_memory_bytes")
        print(f"{STREAMS} streams, {answered} tokens; {resident / 2**20:.0f} MiB resident")


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
