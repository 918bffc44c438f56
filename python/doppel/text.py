"""Sentences: text to tokens, tokens to vectors, and two sentences compared."""

from __future__ import annotations

from ctypes import POINTER, byref, cast
from typing import Iterable, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from doppel import _abi
from doppel._convert import FloatArray, PathLike, maybe_bytes, maybe_text, strings, text, to_bytes
from doppel._native import Closable, Handle, call, lib, models_find, options, take
from doppel.net import Net, net_options
from doppel.records import Comparison, Precision, Sentence, TokenizerFacts, TokenKind
from doppel.score import Calibration, Head, Policy


class Tokenizer(Closable):
    """Cuts a sentence into tokens and knows each by a number. Threads: any number at once."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    @staticmethod
    def _made(pointer: int) -> Tokenizer:
        return Tokenizer(Handle("the tokenizer", pointer, lib.dpl_tokenizer_free))

    @staticmethod
    def from_lines(lines: Iterable[str], *, kind: Optional[TokenKind] = None, lower: Optional[bool] = None,
                   length: Optional[int] = None, max_tokens: Optional[int] = None) -> Tokenizer:
        """That knows the tokens in these lines, the most frequent first."""
        o = options(_abi.dpl_tokenizer_options, kind=kind, lower=lower, length=length,
                    max_tokens=max_tokens)
        return Tokenizer._made(take(lib.dpl_tokenizer_from_lines, *strings(lines), byref(o)))

    @staticmethod
    def from_tokens(tokens: Iterable[str], *, kind: Optional[TokenKind] = None,
                    lower: Optional[bool] = None, length: Optional[int] = None,
                    max_tokens: Optional[int] = None) -> Tokenizer:
        o = options(_abi.dpl_tokenizer_options, kind=kind, lower=lower, length=length,
                    max_tokens=max_tokens)
        return Tokenizer._made(take(lib.dpl_tokenizer_from_tokens, *strings(tokens), byref(o)))

    @staticmethod
    def from_merges(path: PathLike, *, length: Optional[int] = None,
                    max_tokens: Optional[int] = None) -> Tokenizer:
        """Of a list of byte-pair merges, GPT-2's or CLIP's."""
        o = options(_abi.dpl_tokenizer_options, length=length, max_tokens=max_tokens)
        return Tokenizer._made(take(lib.dpl_tokenizer_from_merges, to_bytes(path), byref(o)))

    @staticmethod
    def from_net(net: Net, side: int = 0) -> Tokenizer:
        """That which a model's metadata has."""
        with net._handle as p:
            return Tokenizer._made(take(lib.dpl_tokenizer_from_net, p, side))

    def into_model(self, path: PathLike, side: int = 0) -> None:
        """Write it into a model's file."""
        with self._handle as p:
            call(lib.dpl_tokenizer_into_model, p, to_bytes(path), side)

    @property
    def about(self) -> TokenizerFacts:
        with self._handle as p:
            return TokenizerFacts._of(lib.dpl_tokenizer_about(p)[0])

    def token(self, id: int) -> Optional[str]:
        """Its text; None out of range."""
        with self._handle as p:
            return maybe_text(lib.dpl_tokenizer_token(p, id))

    def find(self, token: str) -> int:
        """Its id; -1 when it is not in the vocabulary."""
        with self._handle as p:
            return int(lib.dpl_tokenizer_find(p, to_bytes(token)))

    def encode(self, sentence: str) -> Tuple[NDArray[np.int64], Sentence]:
        """Ids, padded to the tokenizer's length, and what became of the sentence."""
        raw = sentence.encode("utf-8", "surrogateescape")
        about = _abi.dpl_sentence()
        with self._handle as p:
            ids = np.empty(lib.dpl_tokenizer_about(p)[0].length, np.int64)
            call(lib.dpl_tokenizer_encode, ids.ctypes.data, byref(about), p, raw, len(raw))
        return ids, Sentence._of(about)


class TextEncoder(Closable):
    """Texts to vectors. Threads: any number at once."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    @staticmethod
    def open(path: Optional[PathLike] = None, *, merges: Optional[PathLike] = None,
             precision: Optional[Precision] = None) -> TextEncoder:
        """The one that comes with doppel, or another; merges: of a model without tokens of its own."""
        where = to_bytes(models_find(_abi.MODEL_SENTENCE) if path is None else path)
        o = options(_abi.dpl_text_encoder_options, merges_path=maybe_bytes(merges))
        o.net = net_options(precision=precision)
        return TextEncoder(Handle("the encoder of sentences",
                                  take(lib.dpl_text_encoder_open, where, byref(o)),
                                  lib.dpl_text_encoder_close))

    @property
    def net(self) -> Net:
        with self._handle as p:
            return Net._borrowed(lib.dpl_text_encoder_net(p), self._handle)

    @property
    def tokenizer(self) -> Tokenizer:
        with self._handle as p:
            return Tokenizer(Handle("the tokenizer", lib.dpl_text_encoder_tokenizer(p), None,
                                    self._handle))

    @property
    def path(self) -> str:
        with self._handle as p:
            return text(lib.dpl_text_encoder_path(p))

    @property
    def merges_path(self) -> Optional[str]:
        with self._handle as p:
            return maybe_text(lib.dpl_text_encoder_merges_path(p))

    @property
    def dim(self) -> int:
        with self._handle as p:
            return int(lib.dpl_text_encoder_dim(p))

    @property
    def hash(self) -> str:
        with self._handle as p:
            return text(lib.dpl_text_encoder_hash(p))

    def fact(self, name: str) -> Optional[str]:
        with self._handle as p:
            return maybe_text(lib.dpl_text_encoder_fact(p, name.encode()))

    @property
    def head(self) -> Head:
        with self._handle as p:
            return Head(Handle("the head", take(lib.dpl_head_open_text, p), lib.dpl_head_free))

    def encode(self, texts: Union[str, Sequence[str]], threads: int = 1) -> FloatArray:
        """float32 [n, dim]; of one text [dim]."""
        array, n = strings(texts)
        out = np.empty((n, self.dim), np.float32)
        if n:
            with self._handle as p:
                call(lib.dpl_text_encode, out.ctypes.data, None, p, array, n, threads)
        return out.reshape(-1) if isinstance(texts, str) else out


class TextModel(Closable):
    """An encoder of sentences with what its vectors are judged by. Threads: any number at once."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        with handle as p:
            self.encoder = TextEncoder(
                Handle("the encoder", lib.dpl_text_pipeline_encoder(p), None, handle))
            self.second = TextEncoder(
                Handle("the second encoder", lib.dpl_text_pipeline_second(p), None, handle))
            self.head = Head(Handle("the head", lib.dpl_text_pipeline_head(p), None, handle))
            self.calibration = Calibration._borrowed(lib.dpl_text_pipeline_calibration(p), handle)

    @staticmethod
    def open(encoder: Optional[PathLike] = None, *, merges: Optional[PathLike] = None,
             second: Optional[PathLike] = None, precision: Optional[Precision] = None) -> TextModel:
        """The one that comes with doppel, or another. second: the model of the second of two sentences,
        where each side of a pair has one of its own."""
        o = options(_abi.dpl_text_pipeline_options, merges_path=maybe_bytes(merges),
                    second_path=maybe_bytes(second))
        o.encoder_path = to_bytes(models_find(_abi.MODEL_SENTENCE) if encoder is None else encoder)
        o.net = net_options(precision=precision)
        return TextModel(Handle("the model of sentences", take(lib.dpl_text_pipeline_open, byref(o)),
                                lib.dpl_text_pipeline_close))

    def policy(self, *, fmr: Optional[float] = None, threshold: Optional[float] = None) -> Policy:
        """The rate is 1e-2 where none is given and there is a calibration."""
        if fmr is None and threshold is None and self.calibration is not None:
            fmr = _abi.DEFAULT_TEXT_FMR
        return Policy.make(self.calibration, fmr=fmr, threshold=threshold)

    def verify(self, a: str, b: str, *, policy: Optional[Policy] = None, fmr: Optional[float] = None,
               threshold: Optional[float] = None) -> Tuple[Comparison, Tuple[Sentence, Sentence]]:
        """Do two sentences say the same? And what became of each."""
        judged = policy or self.policy(fmr=fmr, threshold=threshold)
        out = _abi.dpl_comparison()
        about = (_abi.dpl_sentence * 2)()
        with self._handle as p:
            call(lib.dpl_verify_texts, byref(out), cast(about, POINTER(_abi.dpl_sentence)), p,
                 byref(judged._c), to_bytes(a), to_bytes(b))
        return Comparison._of(out), (Sentence._of(about[0]), Sentence._of(about[1]))
