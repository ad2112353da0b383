#!/usr/bin/env python3
"""One round of one peer, in this process: `bench/peers.py` runs it.

    bench/peer_round.py peer_llama_cpp FILE.gguf --threads 2 --positions 8192 --batches 2,32 [--quick]

Prints one JSON object on the last line: {"values": {row: figure}}, or {"failed": "why"} where the peer cannot run the file.
"""
import argparse
import importlib
import json
import time


def peak_memory_mb():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def measure(driver, options):
    begin = time.perf_counter()
    peer = driver.Peer(options.model, options.threads, max(options.batches + [1]), options.positions)
    values = {"load_seconds": time.perf_counter() - begin}
    peer.prefill(32)
    seconds = peer.prefill(512)
    values["prefill_512"], values["first_token_512"] = 512 / seconds, seconds * 1000
    if not options.quick:
        values["prefill_2048"] = 2048 / peer.prefill(2048)
    values["decode_0"] = peer.decode(1, 128)
    if not options.quick:
        values["decode_4096"] = peer.decode(4096, 128)
    for size in options.batches:
        values[f"batch_{size}"] = peer.batch(size, 128, 128)
    values["peak_memory"] = peak_memory_mb()
    return values


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("driver")
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--positions", type=int, required=True, help="of the KV cache")
    parser.add_argument("--batches", type=lambda text: [int(n) for n in text.split(",")], default=[])
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    driver = importlib.import_module(options.driver)
    try:
        result = {"values": measure(driver, options)}
    except Exception as error:  # whatever the peer raises is its answer: the last line says most
        result = {"failed": (str(error).strip().splitlines() or [type(error).__name__])[-1]}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
