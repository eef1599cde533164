"""Event files as programs wrote them: tensorboardX 2, like PyTorch; tensorboard 2, like TensorFlow 2."""

from __future__ import annotations

import base64

FLOATS_TEXT = (
    "GAAAAAAAAACjf0siCdi0DM1gwtpBGg1icmFpbi5FdmVudDoyZw74dRgAAAAAAAAAo39LIgkAAAAw88XWQSoNCgsKBGxvc3MVAAAAQHOi"
    "ZMcaAAAAAAAAABKb2C0JAABAMPPF1kEQCioNCgsKBGxvc3MVAACAP+PzFdMaAAAAAAAAABKb2C0JAACAMPPF1kEQFCoNCgsKBGxvc3MV"
    "AADAf4JidLUaAAAAAAAAABKb2C0JAADAMPPF1kEQHioNCgsKBGxvc3MVAAAAP7Tt/8U6AAAAAAAAABKV6uIJAAAAMPPF1kEQASotCisK"
    "EW5vdGUvdGV4dF9zdW1tYXJ5QgwIBxIEEgIIAUICaGlKCAoGCgR0ZXh0WyNY8Q=="
)
FLOATS = base64.b64decode(FLOATS_TEXT)
"""loss at steps 0, 10, 20, 30: 2, 1, NaN, 0.5, from 2018-06-06T12:00:00Z on, a second each; and a text."""

TENSORS = base64.b64decode(
    "SAAAAAAAAAD+kkidCWdTEM1gwtpBGg1icmFpbi5FdmVudDoyUi4KLHRlbnNvcmJvYXJkLnN1bW1hcnkud3JpdGVyLmV2ZW50X2ZpbGVf"
    "d3JpdGVykfNUvzIAAAAAAAAAJBlW7AkAAAAw88XWQRABKiUKIwoIYWNjdXJhY3lCCggBEgAqBAAAgD5KCwoJCgdzY2FsYXJz8VFVaCUA"
    "AAAAAAAA6rw28wkAAEAw88XWQRACKhgKFgoIYWNjdXJhY3lCCggBEgAqBAAAQD8T1rdC"
)
"""accuracy at steps 1 and 2: 0.25, 0.75; what it is stands in the first event alone."""
