"""Scores many digits with a trained model of CNTK's, in processes that share them.

    python scoring.py train DATA OUTPUT [--epochs 2] [--samples 12000]
    mpirun ... python scoring.py score DATA OUTPUT

The two run one after another, as jobs of one experiment, and OUTPUT is an output directory of each. DATA holds MNIST in
CNTK's text form; ``digits.py`` and ``scores.py`` lie beside this file, and the latter counts what was written. ``train``
writes OUTPUT/model.dnn and, in OUTPUT/read.csv, how it reads each test digit itself. ``score`` takes the model of the
experiment's last ``train``, and each process scores its part of the test digits into OUTPUT/scores-RANK.csv. Runs on
CNTK 2.1 to 2.7, Python 2.7 and 3.

Lines to read results from (standard output):

    Epoch 1 of 2: loss 0.412345 in 1.1 s
    read 10000 digits alone, 5.21 % wrongly
"""

from __future__ import division, print_function

import argparse
import os
import socket
import sys
import time

import cntk
import digits
import numpy
import scores

BATCH = 500


def say(text):
    """Print a line that is read while the job runs."""
    print(text)
    sys.stdout.flush()


def labels_of(model, images):
    """Let a model read images, (N, 784); gives what it takes them for, (N)."""
    parts = [model.eval({model.arguments[0]: images[at : at + BATCH]}) for at in range(0, len(images), BATCH)]
    return numpy.concatenate(parts).argmax(1)


def make_trainer():
    """Give a dense network, its two inputs, and what trains it."""
    images, labels = cntk.input_variable(784), cntk.input_variable(10)
    layers = [cntk.layers.Dense(128, activation=cntk.relu), cntk.layers.Dense(10, activation=None)]
    model = cntk.layers.Sequential(layers)(images)
    loss, errors = cntk.cross_entropy_with_softmax(model, labels), cntk.classification_error(model, labels)
    if hasattr(cntk, "learning_parameter_schedule_per_sample"):  # CNTK 2.2 and later
        rate = cntk.learning_parameter_schedule_per_sample(0.01)
    else:
        rate = cntk.learning_rate_schedule(0.01, cntk.UnitType.sample)
    return model, images, labels, cntk.Trainer(model, (loss, errors), [cntk.sgd(model.parameters, rate)])


def train(options):
    """Train in one process; save the model, and how it reads the test digits."""
    cntk.cntk_py.set_fixed_random_seed(1)
    model, images, labels, trainer = make_trainer()
    known, classes = digits.read_train(options.data, options.samples)
    wanted = numpy.eye(10, dtype=numpy.float32)[classes]
    random = numpy.random.RandomState(1)
    for epoch in range(1, options.epochs + 1):
        begun, losses, order = time.time(), [], random.permutation(len(classes))
        for start in range(0, len(order), 64):
            chosen = order[start : start + 64]
            trainer.train_minibatch({images: known[chosen], labels: wanted[chosen]})
            losses.append(trainer.previous_minibatch_loss_average)
        seconds = time.time() - begun
        say("Epoch %d of %d: loss %.6f in %.1f s" % (epoch, options.epochs, numpy.mean(losses), seconds))
    model.save(os.path.join(options.output, "model.dnn"))
    seen, classes = digits.read_test(options.data)
    answers = labels_of(model, seen)
    scores.write(os.path.join(options.output, "read.csv"), enumerate(answers))
    say("read %d digits alone, %.2f %% wrongly" % (len(answers), 100 * (answers != classes).mean()))


def score(options):
    """Score this process's part of the test digits: every N-th, for N processes."""
    rank = int(os.environ.get("OMPI_COMM_WORLD_RANK", "0"))
    count = int(os.environ.get("OMPI_COMM_WORLD_SIZE", "1"))
    model = cntk.load_model(scores.found(options.output, "model", "model.dnn")[0])
    begun = time.time()
    images, _ = digits.read_test(options.data, first=rank, step=count)
    answers = labels_of(model, images)
    numbers = range(rank, rank + count * len(answers), count)
    scores.write(os.path.join(options.output, "scores-%d.csv" % rank), zip(numbers, answers))
    # A node is known by its name, or where all have this machine's, by its own temporary folder.
    with open(os.path.join(options.output, "node-%d.txt" % rank), "w") as file:
        file.write("%s %s" % (socket.gethostname(), os.environ.get("AZ_BATCHAI_JOB_TEMP", "")))
    say("process %d of %d: %d digits in %.1f s" % (rank, count, len(answers), time.time() - begun))


def main():
    """Read the command line, do the step."""
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=["train", "score"])
    parser.add_argument("data")
    parser.add_argument("output")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--samples", type=int, default=12000)
    options = parser.parse_args()
    (train if options.step == "train" else score)(options)


if __name__ == "__main__":
    main()
