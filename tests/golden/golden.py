#!/usr/bin/env python3
"""golden.py FOLDER: expected.safetensors from FOLDER's tokenizer.safetensors and generator.safetensors.

A second implementation of both models, in float64 and as literal as it can be, from docs/models.md and the public
headers. It knows one level, VQ, and models with everything on. A result that rounding could turn over (a code between
two rows of the codebook, a draw between two logits) is refused: choose other clips or captions then.

Its file has string pairs "caption.I", "guidance", "temperature", "seed", "stride", and the tensors
  clipI.frames U8 (T,H,W,3), clipI.codes I32 (t,h,w,1), clipI.pixels F32: every STRIDE-th decoded value before rounding
  text.R I32 (captions,R): ids of each caption with room for R, for several R of which one is P
  scored.codes I32 (n,codes), scored.bits F64 (n): clip i given caption i
  logits.keep F32 (N,2), logits.groups I32 (G), logits.slots F32 (G,S,K): scored clip 0, groups as if all were written
  written.codes I32 (n,codes): what is drawn for caption i with seed SEED + i, guidance and temperature
"""
import json
import pathlib
import struct
import sys
import zlib

import numpy as np

PAD, BEGIN, END, FIRST_BYTE, FIRST_MERGE, PIECE_BYTES = 0, 1, 2, 3, 259, 32
STRIDE = 5
GUIDANCE, TEMPERATURE = 1.5, 1.25
SEED = 2**40 + 15
# What the runner-up must be away by, in squared distances and in shares: several times the rounding of f32.
DISTANCE_SLACK, SHARE_SLACK = 1e-4, 3e-5
SHOWN_GROUPS = [0, 5, 18, 31, 47]
CAPTIONS = [
    "a small red circle moves left on a grey background",
    "A Large BLUE  Square\tstands still ",
    "",
    "ein gr\u00fcner Kreis, \u8d64\u3044\u5186\u304c\u53f3\u3078 \U0001f3c3",
    "3 stars: 12green+7 (fast!)",
    "\u00c9\u00e9" * 20 + " FUZZY " + "background" * 7 + "123456789" * 4 + "left" * 7 + "bc\u00c9" * 2,
    "1 2 3 4 5 6 7 8 9 0 1 2 3 4",
    "a small yellow triangle moves right, then a large cyan ring moves up and then nothing moves at all",
]


# ---- files ----

def load(path):
    """Tensors as float64, and the metadata."""
    data = pathlib.Path(path).read_bytes()
    end = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:end])
    metadata = header.pop("__metadata__")
    zeroed = data[:end].replace(metadata["poet.crc32"].encode(), b"0" * 8, 1) + data[end:]
    assert int(metadata["poet.crc32"], 16) == zlib.crc32(zeroed), f"{path}: checksum"
    tensors = {}
    for name, entry in header.items():
        a, b = entry["data_offsets"]
        raw = data[end + a:end + b]
        if entry["dtype"] == "BF16":  # the upper half of an F32
            raw = (np.frombuffer(raw, "<u2").astype("<u4") << 16).tobytes()
        tensors[name] = np.frombuffer(raw, "<f4").reshape(entry["shape"]).astype(np.float64)
    return tensors, metadata


def save(path, tensors, metadata):
    kinds = {"float64": "F64", "float32": "F32", "int32": "I32", "uint8": "U8"}
    header, body = {"__metadata__": {"poet.format": "1", "poet.crc32": "0" * 8, **metadata}}, b""
    for name, value in sorted(tensors.items(), key=lambda item: -item[1].itemsize):  # wide ones first: aligned
        raw = np.ascontiguousarray(value).tobytes()
        header[name] = {"dtype": kinds[value.dtype.name], "shape": list(value.shape),
                        "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    head = struct.pack("<Q", len(text)) + text
    zeros = b'"poet.crc32": "' + b"0" * 8
    digits = b"%08x" % zlib.crc32(head + body)
    pathlib.Path(path).write_bytes(head.replace(zeros, zeros[:-8] + digits, 1) + body)


# ---- operations ----

def linear(w, name, x):
    return x @ w[name + ".weight"].T + w.get(name + ".bias", 0.0)


def rms(w, name, x):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-6) * w[name + ".gain"]


def silu(x):
    return x / (1 + np.exp(-x))


def conv(w, name, x):
    """x (t,h,w,C)."""
    kernel = w[name + ".weight"]
    kt, kh, kw = kernel.shape[1:4]
    t, h, width = x.shape[:3]
    padded = np.pad(x, ((kt - 1, 0), (kh // 2, kh // 2), (kw // 2, kw // 2), (0, 0)))
    y = np.zeros((t, h, width, kernel.shape[0])) + w[name + ".bias"]
    for a in range(kt):
        for b in range(kh):
            for c in range(kw):
                y += padded[a:a + t, b:b + h, c:c + width] @ kernel[:, a, b, c].T
    return y


def philox(seed, stream, counter):
    """Word 0 of Philox4x32-10 (Salmon et al. 2011)."""
    low = 2**32 - 1
    c, key = [counter & low, counter >> 32, stream & low, stream >> 32], [seed & low, seed >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ key[0], b & low, (a >> 32) ^ c[3] ^ key[1], a & low]
        key = [(key[0] + 0x9E3779B9) & low, (key[1] + 0xBB67AE85) & low]
    return c[0]


def draw(logits, temperature, seed, stream, counter):
    """poet_sample, no filter."""
    shares = np.exp((logits - logits.max()) / temperature)
    sums = np.cumsum(shares / shares.sum())
    u = (philox(seed, stream, counter) + 0.5) / 2**32
    assert np.all(np.abs(sums - u) > SHARE_SLACK), f"draw {counter} of stream {stream}: between two codes"
    return int(np.argmax(sums > u))


# ---- tokenizer ----

def half(w, side, x):
    a = linear(w, side + ".first", x)
    i = 0
    while f"{side}.block{i}.norm1.gain" in w:
        block = f"{side}.block{i}"
        b = conv(w, block + ".conv1", silu(rms(w, block + ".norm1", a)))
        a = a + conv(w, block + ".conv2", silu(rms(w, block + ".norm2", b)))
        i += 1
    return linear(w, side + ".linear", x) + linear(w, side + ".last", silu(rms(w, side + ".norm", a)))


def encode(w, p, frames):
    real = frames / 127.5 - 1
    video = np.concatenate([real[:1]] * 4 + [real[1:]])
    t, h, width = len(video) // 4, video.shape[1] // p, video.shape[2] // p
    patches = np.zeros((t, h, width, 4 * p * p * 3))
    for i, j, k in np.ndindex(t, h, width):
        patches[i, j, k] = video[4 * i:4 * i + 4, p * j:p * j + p, p * k:p * k + p].ravel()
    z = half(w, "encoder", patches)
    distances = np.sum((z[..., None, :] - w["quantizer.level0.codebook"]) ** 2, axis=-1)
    nearest = np.sort(distances, axis=-1)
    assert np.all(nearest[..., 1] - nearest[..., 0] > DISTANCE_SLACK), "a vector between two codes"
    return np.argmin(distances, axis=-1)[..., None]


def decode(w, p, codes):
    patches = half(w, "decoder", w["quantizer.level0.codebook"][codes[..., 0]])
    t, h, width = patches.shape[:3]
    video = np.zeros((4 * t, p * h, p * width, 3))
    for i, j, k in np.ndindex(t, h, width):
        video[4 * i:4 * i + 4, p * j:p * j + p, p * k:p * k + p] = patches[i, j, k].reshape(4, p, p, 3)
    return 127.5 * (np.concatenate([video[:4].mean(axis=0, keepdims=True), video[4:]]) + 1)


# ---- text ----

def pieces(text):
    """Bytes of each piece: steps 1 to 3 of generator/bpe.h."""
    def kind(byte):
        c = chr(byte)
        return "letter" if byte >= 128 or c.isalpha() else "digit" if c.isdigit() else "other"

    words = text.encode().lower().split()  # bytes know ASCII alone
    for word in words:
        piece, last = b" ", None
        for c in word.decode():
            raw = c.encode()
            if last is not None and (kind(raw[0]) != last or len(piece) + len(raw) > PIECE_BYTES):
                yield piece
                piece = b""
            piece, last = piece + raw, kind(raw[0])
        yield piece


def ids_of(vocabulary, text, room):
    assert vocabulary["fold_case"]
    flat = vocabulary["merges"]
    rank = {pair: i for i, pair in enumerate(zip(flat[::2], flat[1::2]))}
    ids = [BEGIN]
    for piece in pieces(text):
        tokens = [FIRST_BYTE + byte for byte in piece]
        while True:
            pair = min(zip(tokens, tokens[1:]), key=lambda pair: rank.get(pair, len(rank)), default=None)
            if pair not in rank:
                break
            joined = []
            for token in tokens:
                if joined and (joined[-1], token) == pair:
                    joined[-1] = FIRST_MERGE + rank[pair]
                else:
                    joined.append(token)
            tokens = joined
        if len(ids) + len(tokens) + 1 > room:
            break
        ids += tokens
    return ids + [END]


# ---- generator ----

class Generator:
    def __init__(self, path):
        self.w, metadata = load(path)
        self.c = c = json.loads(metadata["generator.config"])
        self.vocabulary = json.loads(metadata["generator.vocabulary"])
        assert c["levels"] == 1 and c["neighbours"] and c["around"] and c["keep"] and c["caption"] and c["rotary"], "not a model this file knows"
        self.grid = (c["grid_t"], c["grid_h"], c["grid_w"])
        self.rows, self.columns = c["grid_h"] // c["group_h"], c["grid_w"] // c["group_w"]
        self.places = list(np.ndindex(c["grid_t"], self.rows, self.columns))
        self.slots = c["group_h"] * c["group_w"]

    def cells(self, place):
        """Where the cells of a group stand in the grid."""
        gh, gw = self.c["group_h"], self.c["group_w"]
        return [(place[0], place[1] * gh + i, place[2] * gw + j) for i, j in np.ndindex(gh, gw)]

    def group(self, grid, place):
        return [int(grid[cell]) for cell in self.cells(place)]

    def keeps(self, grid, place):
        before = (place[0] - 1,) + place[1:]
        return place[0] > 0 and self.group(grid, place) == self.group(grid, before)

    def turned(self, x, angles):
        """The pairs of x (rows,D), turned by their angles (rows,D/2): as complex numbers."""
        half = x.shape[1] // 2
        z = (x[:, :half] + 1j * x[:, half:]) * np.exp(1j * angles)
        return np.concatenate([z.real, z.imag], axis=1)

    def transformer(self, scope, x, layers, heads, sees, angles=None):
        """sees (rows,rows): whether a position sees another; angles (rows,D/2) of rotary positions."""
        w, width = self.w, x.shape[1]
        d = width // heads
        for i in range(layers):
            block = f"{scope}block{i}"
            q, k, v = np.split(linear(w, block + ".qkv", rms(w, block + ".norm1", x)), 3, axis=1)
            out = np.zeros_like(x)
            for h in range(heads):
                own = slice(h * d, h * d + d)
                qs, ks = q[:, own], k[:, own]
                if angles is not None:
                    qs, ks = self.turned(qs, angles), self.turned(ks, angles)
                scores = np.where(sees, qs @ ks.T / np.sqrt(d), -np.inf)
                shares = np.exp(scores - scores.max(axis=1, keepdims=True))
                out[:, own] = shares / shares.sum(axis=1, keepdims=True) @ v[:, own]
            x = x + linear(w, block + ".proj", out)
            up = np.maximum(linear(w, block + ".up", rms(w, block + ".norm2", x)), 0)
            x = x + linear(w, block + ".down", up * up)
        return rms(w, scope + "norm", x)

    def embedded(self, grid, n):
        """What enters at group n; grid holds all groups before it."""
        w, k, place = self.w, self.c["codes"], self.places[n]
        before = self.group(grid, self.places[n - 1]) if n else [k] * self.slots
        x = sum(w["code.table"][s, code] for s, code in enumerate(before))
        x = x + w["time.table"][place[0]] + w["row.table"][place[1]] + w["column.table"][place[2]]
        offsets = [(0, r, c) for r in range(-4, 0) for c in range(-2, 3)] + [(0, 0, -2), (0, 0, -1)]
        offsets += [(-1, r, c) for r in range(-1, 2) for c in range(-1, 2)]
        near = []
        for offset in offsets:
            other = tuple(a + b for a, b in zip(place, offset))
            near += self.group(grid, other) if other in self.places else [k] * self.slots
        return x + w["neighbours.weight"] @ w["vectors"][near].ravel()

    def angles(self, text, n):
        """(text+n, D/2): a third of the pairs for time, row and column each; text does not turn."""
        half = self.c["width"] // self.c["heads"] // 2
        m = half // 3
        rates = 100.0 ** (-np.arange(m) / m)
        out = np.zeros((text + n, half))
        for i, place in enumerate(self.places[:n]):
            out[text + i, :3 * m] = np.outer(place, rates).ravel()
        return out

    def states(self, grid, ids, n):
        """States of groups 0..n-1."""
        w, p, real = self.w, self.c["text"], len(ids)
        text = w["text.table"][ids] + w["text_position"][:real]  # what is not real is seen by nobody
        x = np.concatenate([text, [self.embedded(grid, i) for i in range(n)]])
        assert real <= p
        at = np.arange(real + n)
        sees = (at[None] < real) | ((at[:, None] >= real) & (at[None] <= at[:, None]))
        x = self.transformer("", x, self.c["layers"], self.c["heads"], sees, self.angles(real, n))
        return x[real:] + w["caption.weight"] @ x[:real].mean(axis=0)

    def around(self, grid, n, cell):
        """Codes of the 44 cells around a cell of group n, K for what is not there."""
        offsets = [(0, r, c) for r in range(-2, 2) for c in range(-2, 3) if (r, c) != (0, 0)]
        offsets += [(-1, r, c) for r in range(-2, 3) for c in range(-2, 3)]
        found = []
        for offset in offsets:
            t, r, c = (a + b for a, b in zip(cell, offset))
            inside = t >= 0 and 0 <= r < self.grid[1] and 0 <= c < self.grid[2]
            owner = inside and self.places.index((t, r // self.c["group_h"], c // self.c["group_w"]))
            found.append(int(grid[t, r, c]) if inside and owner < n else self.c["codes"])
        return found

    def slot_logits(self, grid, n, state, codes):
        """Logits of slots 0..len(codes), codes being those of the slots before."""
        w, before = self.w, [self.c["codes"]] + list(codes)
        count = len(before)
        x = linear(w, "slots.state", state) + w["slots.before.table"][before] + w["slots.position"][:count]
        x = x + linear(w, "slots.vector_in", w["vectors"][before])
        for s, cell in enumerate(self.cells(self.places[n])[:count]):
            x[s] += w["around.weight"] @ w["vectors"][self.around(grid, n, cell)].ravel()
        causal = np.tri(count, dtype=bool)
        y = self.transformer("slots.", x, self.c["slot_layers"], self.c["slot_heads"], causal)
        return linear(w, "slots.head", y) + linear(w, "slots.vector_out", y) @ w["vectors"][:self.c["codes"]].T

    def teacher_forced(self, codes, ids):
        """Logits of keeping (N,2) and of all slots (N,S,K), and the clip's bits."""
        grid = codes.reshape(self.grid)
        states = self.states(grid, ids, len(self.places))
        keep = linear(self.w, "keep", states)
        slots, bits = [], 0.0
        for n, place in enumerate(self.places):
            group, keeps = self.group(grid, place), self.keeps(grid, place)
            slots.append(self.slot_logits(grid, n, states[n], group[:-1]))
            bits += surprise(keep[n], int(keeps))
            if not keeps:
                bits += sum(surprise(logits, code) for logits, code in zip(slots[-1], group))
        return keep, np.array(slots), bits

    def write(self, ids, seed):
        """A clip, group after group, guided by the caption that says nothing."""
        grid, nothing = np.full(self.grid, -1), [BEGIN, END]

        def guided(logits):
            with_text, without = logits
            return without + GUIDANCE * (with_text - without)

        for n, place in enumerate(self.places):
            states = [self.states(grid, caption, n + 1)[n] for caption in (ids, nothing)]
            if place[0] > 0 and draw(guided([linear(self.w, "keep", x) for x in states]), 1, seed, 1, n):
                group = self.group(grid, (place[0] - 1,) + place[1:])
            else:
                group = []
                for s in range(self.slots):
                    logits = guided([self.slot_logits(grid, n, x, group)[-1] for x in states])
                    group.append(draw(logits, TEMPERATURE, seed, 0, n * self.slots + s))
            for cell, code in zip(self.cells(place), group):
                grid[cell] = code
        return grid.ravel()


def surprise(logits, at):
    top = logits.max()
    return (top + np.log(np.sum(np.exp(logits - top))) - logits[at]) / np.log(2)


# ---- what is looked at ----

def picture(t, h, w, seed):
    """A disc that moves over coloured squares that stand still."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 256, (h // 8, w // 8, 3)).repeat(8, axis=0).repeat(8, axis=1)
    disc = rng.integers(0, 256, 3)
    y, x = np.mgrid[:h, :w]
    frames = np.zeros((t, h, w, 3), np.uint8)
    for f in range(t):
        inside = (x - w // 4 - f) ** 2 + (y - h // 2) ** 2 <= (h // 4) ** 2
        frames[f] = np.where(inside[..., None], disc, ground)
    return frames


def some_codes(generator, seed):
    """Draws; two groups in three are those of the time before."""
    rng = np.random.default_rng(seed)
    grid = rng.integers(0, generator.c["codes"], generator.grid)
    for place in generator.places:
        if place[0] > 0 and rng.integers(3):
            for cell in generator.cells(place):
                grid[cell] = grid[(cell[0] - 1,) + cell[1:]]
    return grid.ravel()


def main(folder):
    folder = pathlib.Path(folder)
    tokenizer, metadata = load(folder / "tokenizer.safetensors")
    patch = json.loads(metadata["tokenizer.config"])["patch"]
    generator = Generator(folder / "generator.safetensors")
    out = {}
    for i, frames in enumerate([picture(9, 16, 24, 1), picture(9, 32, 32, 3)]):
        codes = encode(tokenizer, patch, frames)
        out[f"clip{i}.frames"], out[f"clip{i}.codes"] = frames, codes
        out[f"clip{i}.pixels"] = decode(tokenizer, patch, codes).ravel()[::STRIDE]
    for room in 128, 40, generator.c["text"]:
        ids = [ids_of(generator.vocabulary, caption, room) for caption in CAPTIONS]
        out[f"text.{room}"] = np.array([row + [PAD] * (room - len(row)) for row in ids])
    out["written.codes"] = np.array([generator.write(row, SEED + i) for i, row in enumerate(ids[:2])])
    out["scored.codes"] = np.array([out["clip1.codes"].ravel(), out["written.codes"][1], some_codes(generator, 4)])
    scores = [generator.teacher_forced(codes, row) for codes, row in zip(out["scored.codes"], ids)]
    out["scored.bits"] = np.array([bits for _, _, bits in scores])
    out["logits.keep"], out["logits.groups"] = scores[0][0], np.array(SHOWN_GROUPS)
    out["logits.slots"] = scores[0][1][SHOWN_GROUPS]
    narrow = {"f": np.float32, "i": np.int32, "u": np.uint8}
    stored = {name: value.astype(narrow[value.dtype.kind]) for name, value in out.items()}
    stored["scored.bits"] = out["scored.bits"]
    pairs = {f"caption.{i}": caption for i, caption in enumerate(CAPTIONS)}
    pairs |= {"guidance": GUIDANCE, "temperature": TEMPERATURE, "seed": SEED, "stride": STRIDE}
    save(folder / "expected.safetensors", stored, {key: str(value) for key, value in pairs.items()})
    kept = [sum(generator.keeps(c.reshape(generator.grid), p) for p in generator.places) for c in out["scored.codes"]]
    print("bits", out["scored.bits"], "groups kept", kept, "codes used", len(np.unique(out["clip1.codes"])))
    print("keep logits", np.ptp(out["logits.keep"]), "slot logits", np.ptp(out["logits.slots"]),
          "written codes", [len(np.unique(c)) for c in out["written.codes"]])


if __name__ == "__main__":
    main(sys.argv[1])
