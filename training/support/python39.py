"""A Python 3.9 for toolkits that need one: packages of Debian 11, got and unpacked as those of ``python27.py``."""

from __future__ import annotations

from training.support.downloads import KnownFile

VERSION = (3, 9, 2)

PACKAGES = (
    KnownFile(
        "python3.9-minimal_3.9.2-1_amd64.deb",
        1_955_456,
        "5d6003c5c20223a2547ac4976e09a9ec778dbe351507a6292bef3b60df5f4aa7",
        "pool/main/p/python3.9/python3.9-minimal_3.9.2-1_amd64.deb",
    ),
    KnownFile(
        "libpython3.9-minimal_3.9.2-1_amd64.deb",
        800_628,
        "594283526d67e03e3c4e96534f6bfe5da1bf41da5d49360553c9b79fbf08c4ab",
        "pool/main/p/python3.9/libpython3.9-minimal_3.9.2-1_amd64.deb",
    ),
    KnownFile(
        "libpython3.9-stdlib_3.9.2-1_amd64.deb",
        1_683_644,
        "32ac64d959ac2dbc5bb289532fc9834dab8f671b5455695a3a9315aad973c65b",
        "pool/main/p/python3.9/libpython3.9-stdlib_3.9.2-1_amd64.deb",
    ),
    KnownFile(
        "libssl1.1_1.1.1w-0+deb11u1_amd64.deb",
        1_565_664,
        "aadf8b4b197335645b230c2839b4517aa444fd2e8f434e5438c48a18857988f7",
        "pool/main/o/openssl/libssl1.1_1.1.1w-0+deb11u1_amd64.deb",
    ),
    KnownFile(
        "libffi7_3.3-6_amd64.deb",
        23_096,
        "30ca89bfddae5fa6e0a2a044f22b6e50cd17c4bc6bc850c579819aeab7101f0f",
        "pool/main/libf/libffi/libffi7_3.3-6_amd64.deb",
    ),
    KnownFile(
        "libexpat1_2.2.10-2+deb11u5_amd64.deb",
        98_192,
        "5744040c4735bcdd51238aebfa3e402b857244897f1007f61154982ebe5abbd7",
        "pool/main/e/expat/libexpat1_2.2.10-2+deb11u5_amd64.deb",
    ),
    KnownFile(
        "libmpdec3_2.5.1-1_amd64.deb",
        87_652,
        "816404866f754d5662d69db50072018dccb78cf372fc38e0be961fab0f57d741",
        "pool/main/m/mpdecimal/libmpdec3_2.5.1-1_amd64.deb",
    ),
)
