"""llama.cpp through its C functions (package llama-cpp-python), measured as `pingti bench engine` measures itself."""
import time

import llama_cpp as lib
import numpy

BATCH_TOKENS = 2048


class Peer:
    def __init__(self, path, threads, sequences, positions):
        self.callback = lib.llama_log_callback(lambda level, text, data: None)
        lib.llama_log_set(self.callback, None)
        lib.llama_backend_init()
        self.model = lib.llama_model_load_from_file(path.encode(), lib.llama_model_default_params())
        if not self.model:
            raise RuntimeError("the model does not load")
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = positions, BATCH_TOKENS, 512
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        if hasattr(params, "kv_unified"):
            params.kv_unified = True
        self.context = lib.llama_init_from_model(self.model, params)
        if not self.context:
            raise RuntimeError("the context cannot be made")
        self.vocabulary = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self.model))

    def clear(self):
        lib.llama_memory_clear(lib.llama_get_memory(self.context), True)

    def prefill(self, count):
        """Seconds for a prompt of `count` tokens."""
        self.clear()
        tokens = [100 + (i * 7919) % 1000 for i in range(count)]
        begin = time.perf_counter()
        for at in range(0, count, BATCH_TOKENS):
            self.decode_piece(tokens[at:at + BATCH_TOKENS])
        lib.llama_synchronize(self.context)
        return time.perf_counter() - begin

    def decode_piece(self, tokens):
        piece = (lib.llama_token * len(tokens))(*tokens)
        assert lib.llama_decode(self.context, lib.llama_batch_get_one(piece, len(tokens))) == 0

    def greedy(self, index):
        """The likeliest token of an output, as pingti's greedy decoding takes it too."""
        logits = lib.llama_get_logits_ith(self.context, index)
        return int(numpy.ctypeslib.as_array(logits, shape=(self.vocabulary,)).argmax())

    def decode(self, depth, count):
        """Tokens a second of `count` single tokens after a prompt of `depth` tokens."""
        self.prefill(depth)
        token = 100
        begin = time.perf_counter()
        for _ in range(count):
            self.decode_piece([token])
            token = self.greedy(-1)
        return count / (time.perf_counter() - begin)

    def batch(self, sequences, prompt, count):
        """Aggregate tokens a second of `sequences` at once, after prompts of `prompt` tokens each."""
        self.clear()
        batch = lib.llama_batch_init(BATCH_TOKENS, 0, 1)

        def add(token, position, sequence, output):
            i = batch.n_tokens
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, position, 1, output
            batch.seq_id[i][0] = sequence
            batch.n_tokens += 1

        for sequence in range(sequences):
            batch.n_tokens = 0
            for position in range(prompt):
                add(100 + (sequence * 131 + position * 7919) % 1000, position, sequence, position == prompt - 1)
            assert lib.llama_decode(self.context, batch) == 0
        tokens = [100 + sequence for sequence in range(sequences)]
        begin = time.perf_counter()
        for step in range(count):
            batch.n_tokens = 0
            for sequence in range(sequences):
                add(tokens[sequence], prompt + step, sequence, True)
            assert lib.llama_decode(self.context, batch) == 0
            tokens = [self.greedy(i) for i in range(sequences)]
        rate = sequences * count / (time.perf_counter() - begin)
        lib.llama_batch_free(batch)
        return rate
