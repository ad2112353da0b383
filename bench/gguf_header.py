"""What the header of a GGUF file says, without any package."""
import struct

_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


def metadata(path):
    """Key and value of all metadata, arrays as lists."""
    with open(path, "rb") as file:
        def number(letter):
            return struct.unpack("<" + letter, file.read(struct.calcsize("<" + letter)))[0]

        def value(kind):
            if kind == _STRING:
                return file.read(number("Q")).decode("utf-8", "replace")
            if kind == _ARRAY:
                element, count = number("I"), number("Q")
                return [value(element) for _ in range(count)]
            return number(_FORMATS[kind])

        if file.read(4) != b"GGUF":
            raise ValueError(f"{path} is no GGUF file")
        _, _, pairs = number("I"), number("Q"), number("Q")
        return {value(_STRING): value(number("I")) for _ in range(pairs)}


def kv_bytes(path, positions):
    """Bytes of an F16 KV cache with room for `positions`."""
    facts = metadata(path)
    layers, width, heads = (facts[facts["general.architecture"] + key]
                            for key in (".block_count", ".embedding_length", ".attention.head_count"))
    kv_heads = facts.get(facts["general.architecture"] + ".attention.head_count_kv", heads)
    return 2 * 2 * layers * kv_heads * (width // heads) * positions
