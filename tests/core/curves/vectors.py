"""Writes docs/format-vectors.json anew, from the second implementation alone: python tests/core/curves/vectors.py"""

import json
from pathlib import Path
from typing import Any

import reference as r
import reference_names as n


def decoded(dtype: str, value: Any) -> Any:
    if isinstance(value, list):
        return [decoded(dtype, each) for each in value]
    return float(value) if value is not None and dtype.startswith("float") else value


def ids():
    cases = [
        ("float32", 1, [1.0, None, "-0.0", 2.5]),
        ("float32", 1, ["NaN", "inf", "-inf", 1e-45]),
        ("float64", 1, [0.1, None]),
        ("float64", 1, ["inf", "-inf", "-0.0"]),
        ("float32", 2, [[1.0, None], None, ["-0.0", 3.5]]),
        ("float64", 3, [[1.0, 2.0, 3.0]]),
        ("int8", 1, [-128, 127]),
        ("int8", 1, [1, None, 3]),
        ("int16", 1, [-32768, None, 7]),
        ("int32", 1, [2147483647, 0, -1]),
        ("int64", 1, [-9223372036854775808, None]),
        ("uint8", 1, [0, 255, None, 4, 5, 6, 7, 8, None]),
        ("uint16", 1, [65535]),
        ("uint32", 1, [4294967295, None]),
        ("uint8", 4, [[1, 2, 3, 4], [5, None, 7, 8], None]),
        ("int16", 2, [[1, -1], [2, -2]]),
        ("utf8", 1, ["sand", None, ""]),
        ("utf8", 1, ["grès", "砂岩", "🪨"]),
    ]
    out = []
    for d, w, v in cases:
        out.append({"dtype": d, "width": w, "values": v, "content_id": r.content_id(d, w, decoded(d, v))})
    return out


def index_ids():
    cases = [
        (4, [25870000, 25875000, 25880000]),
        (0, [1, 2, 3]),
        (7, [-15240000, 0, 15240000]),
        (None, [0, 1000000]),
        (None, [-1, 1600000000000000]),
    ]
    return [
        {"scale": s, "ticks": t, "index_id": r.content_id("timestamp" if s is None else f"decimal{s}", 1, t)}
        for s, t in cases
    ]


def series(rows, modulus):
    state = 1
    out = []
    for _ in range(rows):
        state = (state * 1103515245 + 12345) % 2**31
        out.append(state // 65536 % modulus)
    return out


def cuts():
    out = []
    for d, w, rows, mod, avg in [
        ("float32", 1, 20000, 1000, None),
        ("float32", 1, 20000, 1000, 256),
        ("float64", 1, 12000, 5000, None),
        ("int16", 1, 40000, 1000, None),
        ("uint8", 8, 6000, 256, None),
        ("utf8", 1, 9000, 4, None),
        ("float32", 1, 20000, 1, 1024),
        ("float32", 1, 8192, 1000, None),
    ]:
        numbers = series(rows * w, mod)
        v = (
            [f"w{x}" for x in numbers]
            if d == "utf8"
            else [x / 8 for x in numbers]
            if d.startswith("float")
            else [x % 256 if d == "uint8" else x for x in numbers]
        )
        if w > 1:
            v = [v[i * w : (i + 1) * w] for i in range(rows)]
        a = avg or r.average(d, w, v)
        out.append(
            {
                "dtype": d,
                "width": w,
                "rows": rows,
                "modulus": mod,
                "inherited": avg,
                "avg": a,
                "stops": r.stops(d, w, v, a),
                "values_id": r.content_id(d, w, v),
            }
        )
    return out


NAMES = [
    "University 6-17 No.1",
    "GR",
    "GR[1]",
    "GR:1",
    "15/9-19 B T2",
    "µ-Log",
    "ﬁn",
    "ÅSGARD",
    "İstanbul",
    "Straße",
    "日本",
    "🪨",
    "   ",
    "---",
    "a" * 48,
    "a" * 49,
    "x" * 38 + "-" + "y" * 20,
    "Ω",
]
REFS = [
    "permian/university-6-17",
    "permian/University 6-17/Run2/GR",
    "p/w/f/c:v3",
    "p/w/f/c@raw",
    "p/w/f/c@sha256:" + "a" * 64,
    "http://localhost:5000/p/w",
    "https://reg.example/p/w/f:latest",
    "p/15%2f9",
    "p",
    "p//f",
    "p/w/f/c/d",
    "p/w:",
    "p/w@sha256:12",
    "ftp://x/p/w",
    "P/w",
    "p/w:a b",
    "p/w/🪨/GR",
]


def slugs():
    cases = [(name, "well") for name in NAMES] + [("", "curve"), ("", "frame"), ("RT", "curve")]
    return [
        {"name": name, "kind": kind, "slug": n.slug(name, kind), "suffixed": n.suffixed(name, kind)}
        for name, kind in cases
    ]


def refs():
    found = [(text, n.reference(text)) for text in REFS]
    return [
        {"text": text} | (dict(zip(("base", "repository", "target"), said, strict=True)) if said else {"invalid": True})
        for text, said in found
    ]


def dump(v):
    lines = ["{"]
    for i, (k, rows) in enumerate(v.items()):
        lines.append(f' "{k}": [')
        lines += [
            "  " + json.dumps(row, ensure_ascii=False) + ("," if j < len(rows) - 1 else "")
            for j, row in enumerate(rows)
        ]
        lines.append(" ]" + ("," if i < len(v) - 1 else ""))
    return "\n".join([*lines, "}", ""])


if __name__ == "__main__":
    made = {"content_ids": ids(), "index_ids": index_ids(), "cuts": cuts(), "slugs": slugs(), "references": refs()}
    Path("docs/format-vectors.json").write_text(dump(made), encoding="utf-8")
