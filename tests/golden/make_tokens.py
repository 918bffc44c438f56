#!/usr/bin/env python3
"""Reference ids of byte pairs, by Hugging Face's tokenizers (PyPI tokenizers 0.23):
make_tokens.py FOLDER writes gpt2.merges, gpt2.tsv, clip.merges, clip.tsv (ids, text).

The merges are learned from a few sentences of our own; vocabularies are built from them as the
publishers of GPT-2 and CLIP built theirs, so ids follow from the list alone.
"""
import json
import sys

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

LEARN = """
two dogs run on the beach and a child throws them a ball
the dogs don't like the water, they'd rather run along the sand
a woman in a red dress is standing at the bus stop with her dog
people are sitting in the sun outside of a cafe in the old town
the child is throwing the red ball to the other children
we're standing where the old tower has stood for 1200 years
she'll take the bus at 12:45, he's taking the one at 13:05
Über den Dächern der Stadt steht ein alter Turm
两只狗在海滩上奔跑 两个孩子在海滩上玩球
""".strip().split("\n") * 4

ASK = [
    "two dogs on a beach", "Two DOGS on a Beach", "don't they'd we're she'll he's I'm I've it's",
    "DON'T I'LL", "'s", "''s", "a's'tb", "rock 'n' roll", "1200 years", "12345", "3.14", "x1y2",
    "the  two   dogs", "  leading", "trailing  ", "tab\tand\nline", "a\u00a0b \u3000c", "\u200bzero\u200bwidth",
    "!?...", "(red) dress-code", "é", "e\u0301", "Über den DÄCHERN", "İstanbul", "ΣΑΣ", "straße",
    "两只狗在海滩上", "日本語のテキスト", "😀 dogs 😀😀", "a😀b", "نص عربي", "한국어", "\u0001\u0002", "½ ² ①",
    "unbelievablyexceptionallylongwordthatnobodyhaseverseen", "<|endoftex", "</w>", "Ġ", "a_b", "#hash @at",
    "'\u2019s", "x 's", " ", "\u00ad soft\u00adhyphen", "क्षत्रिय",
]


def byte_characters():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(len(rest))]


def write(folder, name, merges, tokenizer):
    with open(f"{folder}/{name}.merges", "w") as f:
        f.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    with open(f"{folder}/{name}.tsv", "w") as f:
        for text in ASK:
            ids = tokenizer.encode(text).ids
            text = text.replace("\t", "\\t").replace("\n", "\\n")
            f.write(" ".join(map(str, ids)) + "\t" + text + "\n")


def learned(trainer, normalizer, pre):
    t = Tokenizer(models.BPE())
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer = pre
    t.train_from_iterator(LEARN, trainer)
    return [tuple(m) for m in json.loads(t.to_str())["model"]["merges"]]


def main(folder):
    characters = byte_characters()
    # GPT-2
    pre = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(vocab_size=256 + 150, initial_alphabet=characters, show_progress=False)
    merges = learned(trainer, None, pre)
    vocabulary = characters + [a + b for a, b in merges]
    t = Tokenizer(models.BPE({v: i for i, v in enumerate(vocabulary)}, merges))
    t.pre_tokenizer = pre
    write(folder, "gpt2", merges, t)
    # CLIP, as transformers' CLIPTokenizerFast sets it up
    normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "),
                                       normalizers.Lowercase()])
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"),
                             behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = trainers.BpeTrainer(vocab_size=512 + 150, initial_alphabet=characters, show_progress=False,
                                  end_of_word_suffix="</w>")
    merges = learned(trainer, normalizer, pre)
    vocabulary = characters + [c + "</w>" for c in characters] + [a + b for a, b in merges]
    t = Tokenizer(models.BPE({v: i for i, v in enumerate(vocabulary)}, merges, end_of_word_suffix="</w>",
                             continuing_subword_prefix=""))
    t.normalizer = normalizer
    t.pre_tokenizer = pre
    write(folder, "clip", merges, t)


main(sys.argv[1])
