"""Reads MNIST from CNTK's text form, for programs that travel to a node with this file. Python 2.7 and 3.

Needs NumPy. A line is ``|labels <10 numbers, one of them 1> |features <784 numbers, 0 to 255>``.
"""

import os

import numpy

TRAIN, TEST = "Train-28x28_cntk_text.txt", "Test-28x28_cntk_text.txt"


def read(path, samples=0, first=0, step=1):
    """Read digits ``first``, ``first + step``, ... of the first ``samples`` (0: all) of a file.

    Gives images, (N, 784) of 0 to 1 as float32, and labels, (N) of 0 to 9 as int64.
    """
    images, labels = [], []
    with open(path) as lines:
        for number, line in enumerate(lines):
            if samples and number >= samples:
                break
            if number % step != first:
                continue
            label, features = line[len("|labels ") :].split("|features ")
            labels.append(label.split().index("1"))
            images.append(numpy.fromstring(features, dtype=numpy.uint8, sep=" "))
    return numpy.stack(images).astype(numpy.float32) / 255, numpy.array(labels, dtype=numpy.int64)


def read_train(folder, samples=0, first=0, step=1):
    """Read training digits, as ``read`` does."""
    return read(os.path.join(folder, TRAIN), samples, first, step)


def read_test(folder, samples=0, first=0, step=1):
    """Read test digits, as ``read`` does."""
    return read(os.path.join(folder, TEST), samples, first, step)
