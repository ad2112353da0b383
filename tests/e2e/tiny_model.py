"""Makes a GGUF file of a model that says what it is told to: each token has one successor, whatever came before.

    write("tiny.gguf", template, ["<assistant>", "<think>", " why", "</think>", " so", "<end>"])

The weights of attention and feed-forward are zero, so that the last hidden state is the last token's embedding; the output
matrix has, at each token's successor, that token's embedding. Every element of a script is one token and occurs once.
"""
import gguf
import numpy as np

HIDDEN = 128
CONTEXT = 512
END = "<end>"


def byte_tokens():
    """The 256 one-byte tokens of byte-level vocabularies, in the order of bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    table = {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return table


def write(path, template, script):
    table = byte_tokens()
    tokens = [table[byte] for byte in range(256)] + ["~~"]  # the one merge that a vocabulary must have
    types = [gguf.TokenType.NORMAL] * len(tokens)
    ids = []
    for text in [*script, END] if END not in script else script:
        if len(text.encode()) == 1:
            ids.append(text.encode()[0])
            continue
        ids.append(len(tokens))
        special = text.startswith("<") and text.endswith(">")
        thinks = "think" in text  # text like any other in published models
        tokens.append(text if special else "".join(table[byte] for byte in text.encode()))
        types.append((gguf.TokenType.USER_DEFINED if thinks else gguf.TokenType.CONTROL) if special else gguf.TokenType.NORMAL)
    rng = np.random.default_rng(7)
    embedding = rng.choice(np.array([-1, 1], dtype=np.float32), (len(tokens), HIDDEN))
    output = np.zeros_like(embedding)
    for here, following in zip(ids, ids[1:]):
        output[following] += embedding[here]

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(4)
    writer.add_head_count_kv(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(["~ ~"])
    writer.add_eos_token_id(tokens.index(END))
    writer.add_add_bos_token(False)
    writer.add_chat_template(template)
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output.weight", output)
    writer.add_tensor("output_norm.weight", np.ones(HIDDEN, dtype=np.float32))
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", np.ones(HIDDEN, dtype=np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros((HIDDEN, HIDDEN), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
