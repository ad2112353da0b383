"""OpenVINO GenAI through its pipeline of continuous batching, measured as `pingti bench engine` measures itself.

It reads GGUF files of some families and number formats. Its KV cache is F16 as the others' (its own default is 8 bits), without
reuse of prompts; it computes in the number format that it finds best for the machine.
"""
import time

import numpy
import openvino
import openvino_genai as genai

BATCH_TOKENS = 2048
BLOCK_TOKENS = 32  # of its KV cache on CPUs


class Peer:
    def __init__(self, path, threads, sequences, positions):
        scheduler = genai.SchedulerConfig()
        scheduler.max_num_batched_tokens = BATCH_TOKENS
        scheduler.num_kv_blocks = -(-positions // BLOCK_TOKENS)
        scheduler.max_num_seqs = sequences
        scheduler.enable_prefix_caching = False
        self.pipeline = genai.ContinuousBatchingPipeline(
            path, scheduler, "CPU", {"INFERENCE_NUM_THREADS": threads, "KV_CACHE_PRECISION": "f16"})

    def generate(self, sequences, prompt, count):
        """Seconds until all sequences have a first token; the tokens and the seconds after that. Each gets `count` tokens."""
        config = genai.GenerationConfig()
        config.max_new_tokens, config.ignore_eos, config.do_sample = count, True, False
        handles = []
        for sequence in range(sequences):
            tokens = [[100 + (sequence * 131 + i * 7919) % 1000 for i in range(prompt)]]
            handles.append(self.pipeline.add_request(sequence, openvino.Tensor(numpy.array(tokens, dtype=numpy.int64)), config))
        made = [0] * sequences
        first, made_first = 0.0, 0
        begin = time.perf_counter()
        while self.pipeline.has_non_finished_requests():
            self.pipeline.step()
            for sequence, handle in enumerate(handles):
                while handle.can_read():
                    made[sequence] += sum(len(output.generated_ids) for output in handle.read().values())
            if not first and all(made):
                first, made_first = time.perf_counter(), sum(made)
        end = time.perf_counter()
        if sum(made) != sequences * count:
            raise RuntimeError(f"{sum(made)} tokens instead of {sequences * count}")
        return first - begin, sum(made) - made_first, end - first

    def prefill(self, count):
        """Seconds for a prompt of `count` tokens, the choice of the first token included."""
        return self.generate(1, count, 1)[0]

    def decode(self, depth, count):
        """Tokens a second of `count` single tokens after a prompt of `depth` tokens."""
        return self.batch(1, depth, count)

    def batch(self, sequences, prompt, count):
        """Aggregate tokens a second of `sequences` at once, after prompts of `prompt` tokens each."""
        _, tokens, seconds = self.generate(sequences, prompt, count + 1)
        return tokens / seconds
