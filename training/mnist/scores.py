"""Counts what the processes of a scoring job wrote: whether each test digit was scored once, and rightly.

    python scores.py DATA OUTPUT

DATA holds MNIST in CNTK's text form. OUTPUT is this job's output directory, below which the service gives each job a
folder of its own, and from which those of the experiment's earlier jobs are found: ``scores/scores-RANK.csv`` and
``scores/node-RANK.txt`` of the one that scored, ``model/read.csv`` of the one that trained. Python 2.7 and 3, and no
package; ``cntk/scoring.py`` writes these files with what is here.

Lines to read results from (standard output):

    scored: 10000 of 10000 digits, 0 missing, 0 twice, 0 unknown
    Test error: 5.21 %
    2 processes on 2 nodes, shares differ by 0 digits
    0 digits read otherwise than by one process
"""

from __future__ import division, print_function

import argparse
import collections
import csv
import glob
import os

TEST = "Test-28x28_cntk_text.txt"
HEADER = ["digit", "read"]


def write(path, rows):
    """Write rows of (a digit's number, what it was read as) into a file that is whole or not there."""
    with open(path + ".part", "w") as file:
        lines = csv.writer(file)
        lines.writerow(HEADER)
        lines.writerows(rows)
    os.rename(path + ".part", path)


def read(path):
    """Give the rows of a file."""
    with open(path) as file:
        lines = list(csv.reader(file))
    if not lines or lines[0] != HEADER:
        raise SystemExit("error: %s does not begin with %s" % (path, ",".join(HEADER)))
    return [(int(digit), int(label)) for digit, label in lines[1:]]


def found(output, directory, pattern):
    """Give the newest job's files of this pattern in its output directory: .../jobs/JOB/UUID/outputs/DIRECTORY."""
    jobs = os.path.abspath(os.path.join(output, *[os.pardir] * 4))
    files = glob.glob(os.path.join(jobs, "*", "*", "outputs", directory, pattern))
    if not files:
        raise SystemExit("error: no job in %s has left %s/%s" % (jobs, directory, pattern))
    newest = os.path.dirname(max(files, key=os.path.getmtime))
    return sorted(file for file in files if os.path.dirname(file) == newest)


def classes_of(data):
    """Give what the test digits are, 0 to 9, in their order."""
    with open(os.path.join(data, TEST)) as lines:
        return [line[len("|labels ") :].split("|", 1)[0].split().index("1") for line in lines]


def text_of(path):
    """Give the text of a small file."""
    with open(path) as file:
        return file.read()


def main():
    """Compare what all processes wrote with the test digits, and with what one process read."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("output")
    options = parser.parse_args()
    classes = classes_of(options.data)
    parts = [read(file) for file in found(options.output, "scores", "scores-*.csv")]
    times = collections.Counter(digit for part in parts for digit, _ in part)
    answers = dict(row for part in parts for row in part)
    known = sum(0 <= digit < len(classes) for digit in times)
    twice = sum(count > 1 for count in times.values())
    counts = (known, len(classes), len(classes) - known, twice, len(times) - known)
    print("scored: %d of %d digits, %d missing, %d twice, %d unknown" % counts)
    wrong = sum(answers.get(digit) != label for digit, label in enumerate(classes))
    print("Test error: %.2f %%" % (100 * wrong / len(classes)))
    nodes = set(text_of(file) for file in found(options.output, "scores", "node-*.txt"))
    shares = [len(part) for part in parts]
    counts = (len(parts), len(nodes), max(shares) - min(shares))
    print("%d processes on %d nodes, shares differ by %d digits" % counts)
    alone = read(found(options.output, "model", "read.csv")[0])
    others = sum(answers.get(digit) != label for digit, label in alone)
    print("%d digits read otherwise than by one process" % others)


if __name__ == "__main__":
    main()
