#!/usr/bin/env python3
"""Writes tests/golden/tokenizers/*.json: tiny vocabularies trained on texts of our own, with the ids that the Python package
gives to nasty texts, and the pieces into which each pre-tokenizer's published pattern cuts them.

    pip install tokenizers==0.23.1 && tools/make_tokenizer_golden.py
"""
import json
import pathlib

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

GOLDEN = pathlib.Path("tests/golden/tokenizers")
TEXTS = [
    "", " ", "  ", "   a", "a   ", "\n", "\r\n", "\n\n\n", " \n \n x", "\t\ttab", "a\tb", "x\r\n\r\ny", "   \n", "a \n",
    "Hello world", " Hello, world!", "it's I'm we'll they've you're he'd don't", "IT'S I'M WE'LL 'S 'Tis 'ſ 'RE",
    "''''s 'll'll", "don\u2019t", "1", "12", "123", "1234567", "3.14159, 1e-10; 0x1F", "a1b22c333d4444", "\u0661\u0662\u0663\u0664 \u00bd\u00b2",
    "你好，世界！今天天气很好。", "中文English混合123测试 一二三", "日本語のテキスト、カタカナ", "한국어 텍스트입니다", "สวัสดีครับ",
    "привет мир", "مرحبا بالعالم", "Führer naïve café e\u0301\u0302 o\u0308", "\u0301\u0301 x\u0301y \u0301", "👩‍👩‍👧 🇨🇳🦙 ❤\ufe0f", "a🦙b",
    "def f(x):\n    return {'a': x[0]}  # note\n\n\n    if x != 1:\n\tpass", "<html><b>&amp;</b></html>", "a_b-c.d/e\\f|g~h`i^j",
    "!!!???...", "$100 + €5 = £3 <=> ^~|`", " !\n\n ?", "....\r\n....", "#include <x>\r\n\r\nint", "http://a.b/c?d=e&f=g#h",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "    \u3000\u00a0\u2003x", "\u3000全角　スペース\u3000", "\u2028\u2029\u0085x",
    "\u0000\u0001\u007f", "\ufeffbom", "a\u200bb\u200dc", "Ⅷ ⅷ № ™ ©", "ǅ ŉ ß ẞ İ ı", "｢半角｣ ＡＢＣ１２３！？", "\"quoted\" ‘single’ “double” «g»",
    "x=1;y=2;\n\n\nz", "end ", " '", "\n'", "'s", "９９９９", "१२३४५", "the quick brown fox jumps over the lazy dog",
]
CORPUS = [
    "the quick brown fox jumps over the lazy dog and the other dogs in the garden of the house",
    "there is nothing that the old man could not do when he had his tools with him",
    "number 12 and number 345 are in the list, it's that we're here; don't you think?",
    "def main(x):\n    return x + 1\n    if x:\n        return the_other(x)\n",
    "今天天气很好，我们去公园。今天的天气真的很好。", "中文和英文混合的文本", "hello hello world world worlds helloing",
] * 3

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
WORDS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
EAST_ASIAN = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
CASED = __import__("make_unicode_tables").CASED_SET
PATTERNS = {
    "gpt-2": [GPT2],
    "smollm": [r"\p{N}", GPT2],
    "falcon": [r"[\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]"],
    "default": [r"[\p{P}$+<=>^~|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
    "qwen2": [WORDS.replace("DIGITS", "")],
    "llama-bpe": [WORDS.replace("DIGITS", "{1,3}")],
    "qwen35": [r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
               r"|\s*[\r\n]+|\s+(?!\S)|\s+"],
    "deepseek-llm": ["[\r\n]", r"\s?[" + CASED + "]+",
                     "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+", r"\s+$", EAST_ASIAN, r"\p{N}+"],
    "deepseek-coder": ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", EAST_ASIAN, r"\p{N}"],
    "deepseek-v3": [r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
                    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
                    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"],
}


def save(name, value):
    path = GOLDEN / name
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    print(path, path.stat().st_size, "bytes")


def split_sequence(patterns):
    return [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]


def make_splits():
    """As ends of pieces, in bytes."""
    rows = {}
    for name, patterns in PATTERNS.items():
        splitter = pre_tokenizers.Sequence(split_sequence(patterns))
        rows[name] = []
        for text in TEXTS:
            pieces = splitter.pre_tokenize_str(text)
            rows[name].append([len(text[:end].encode()) for _, (_, end) in pieces])
    save("splits.json", {"texts": TEXTS, "ends": rows})


def vectors(tokenizer):
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]


def tokens_of(tokenizer):
    vocabulary = tokenizer.get_vocab()
    return [text for text, _ in sorted(vocabulary.items(), key=lambda item: item[1])]


def make_byte_bpe():
    for name in ("gpt-2", "smollm", "qwen2", "llama-bpe", "deepseek-llm", "deepseek-coder", "deepseek-v3"):
        whole = name == "llama-bpe"
        tokenizer = Tokenizer(models.BPE(ignore_merges=whole))
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split_sequence(PATTERNS[name]), byte_level])
        trainer = trainers.BpeTrainer(vocab_size=380, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
        tokenizer.train_from_iterator(CORPUS, trainer)
        model = json.loads(tokenizer.to_str())["model"]
        merges = [" ".join(merge) if isinstance(merge, list) else merge for merge in model["merges"]]
        save(f"byte_bpe_{name}.json", {"model": "gpt2", "pre": name, "tokens": tokens_of(tokenizer), "merges": merges,
                                       "texts": TEXTS, "ids": vectors(tokenizer)})


def make_sentencepiece_bpe():
    """BPE with byte tokens whose scores are the ranks of merges, as SentencePiece numbers them."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")  # for the training: no pieces across words
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=480, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokens = tokens_of(tokenizer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    # A token's score is minus the rank of the first merge that makes it; ones without a merge come last.
    rank = {}
    for i, merge in enumerate(merges):
        rank.setdefault("".join(merge), i)
    scores = [float(-rank.get(token, len(merges))) for token in tokens]
    plain = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=[tuple(m) for m in merges],
                                 unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    plain.normalizer = tokenizer.normalizer
    types = [2, 3, 3] + [6] * 256 + [1] * (len(tokens) - 259)
    save("sentencepiece_bpe.json", {"model": "llama", "tokens": tokens, "scores": scores, "types": types, "unknown": 0,
                                    "texts": TEXTS, "ids": vectors(plain)})


def make_unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    trainer = trainers.UnigramTrainer(vocab_size=220, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    tokenizer.train_from_iterator(CORPUS, trainer)
    pairs = json.loads(tokenizer.to_str())["model"]["vocab"]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([])
    plain = Tokenizer(models.Unigram([tuple(pair) for pair in pairs], unk_id=0))
    plain.normalizer = tokenizer.normalizer
    save("unigram.json", {"model": "t5", "tokens": [text for text, _ in pairs], "scores": [score for _, score in pairs],
                          "types": [2] + [1] * (len(pairs) - 1), "unknown": 0, "texts": TEXTS, "ids": vectors(plain)})


def make_wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(CORPUS + [chr(i) for i in range(33, 127)],
                                  trainers.WordPieceTrainer(vocab_size=380, special_tokens=special, show_progress=False))
    tokens = tokens_of(tokenizer)
    save("wordpiece.json", {"model": "bert", "tokens": tokens, "types": [3] * 4 + [1] * (len(tokens) - 4), "unknown": 1,
                            "texts": TEXTS, "ids": vectors(tokenizer)})


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    make_splits()
    make_byte_bpe()
    make_sentencepiece_bpe()
    make_unigram()
    make_wordpiece()
