# -*- coding: utf-8 -*-
"""Trains a convolutional network on MNIST with CNTK, on one process or, under mpirun, on several.

    python ConvNet_MNIST.py DATA_FOLDER OUTPUT_FOLDER [--epochs N] [--minibatch_size N] [--learning_rate R]
                            [--digits N]

DATA_FOLDER holds Train-28x28_cntk_text.txt and Test-28x28_cntk_text.txt. OUTPUT_FOLDER gets
ConvNet_MNIST_<epoch>.dnn after each epoch. Runs on CNTK 2.1 to 2.7 with Python 2.7, 3.5 and 3.6, on the device
that CNTK chooses. The same machine gives the same numbers each time.

Lines to read results from (standard output):

    Epoch 1 of 2: loss 0.298715, error 9.423 %, 60000 samples in 22.1 s
    Test error: 1.56 %
"""

from __future__ import division, print_function

import argparse
import errno
import math
import os
import sys
import time


def use_avx2():
    """Let Intel's MKL use AVX2 on AMD processors that have it.

    The MKL that CNTK brings takes its slowest path on every processor that is not Intel's, unless it is told.
    """
    try:
        with open("/proc/cpuinfo") as lines:
            processor = lines.read(4096)
    except IOError:
        return
    if "AuthenticAMD" in processor and " avx2 " in processor:
        os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")


use_avx2()  # before MKL is loaded

import cntk  # noqa: E402

IMAGE_SHAPE = (1, 28, 28)
CLASSES = 10
TRAINING_DIGITS = 60000
TEST_DIGITS = 10000
SEED = 1

# The learning rate for a sample: as given for ten epochs, half of it for ten more, then a tenth of it.
RATE_STEPS = [1.0] * 10 + [0.5] * 10 + [0.1]
# Five epochs without momentum, then with a time constant of 1024 samples.
MOMENTUM_SAMPLES = [0] * 5 + [1024]


def say(text):
    """Print a line that is read while the job runs, so it must not wait in a buffer."""
    print(text)
    sys.stdout.flush()


def command_line():
    parser = argparse.ArgumentParser(description="Train a convolutional network on MNIST with CNTK.")
    parser.add_argument("data", help="folder with the data set in CNTK's text form")
    parser.add_argument("output", help="folder for the models")
    parser.add_argument("--epochs", type=int, default=40, help="passes over the training digits (default 40)")
    parser.add_argument("--minibatch_size", type=int, default=64, help="samples in a minibatch (default 64)")
    parser.add_argument("--digits", type=int, default=TRAINING_DIGITS,
                        help="training digits in an epoch (default %d, all there are)" % TRAINING_DIGITS)
    parser.add_argument("--learning_rate", type=float, default=0.001, help="for one sample (default 0.001)")
    options = parser.parse_args()
    if min(options.epochs, options.minibatch_size, options.digits) < 1 or not options.learning_rate > 0:
        parser.error("--epochs, --minibatch_size and --digits must be at least 1, --learning_rate more than 0")
    return options


def digits(folder, name, training):
    """Open one of the text files; the training digits are shuffled and repeated, the others read once."""
    path = os.path.join(folder, name)
    if not os.path.isfile(path):
        raise SystemExit("error: %s is missing" % path)
    streams = cntk.io.StreamDefs(
        features=cntk.io.StreamDef(field="features", shape=28 * 28, is_sparse=False),
        labels=cntk.io.StreamDef(field="labels", shape=CLASSES, is_sparse=False),
    )
    return cntk.io.MinibatchSource(
        cntk.io.CTFDeserializer(path, streams),
        randomize=training,
        max_sweeps=cntk.io.INFINITELY_REPEAT if training else 1,
    )


def network(images):
    """Three convolutions, two poolings, a dense layer with dropout, and a score for each class."""
    layers = cntk.layers
    with layers.default_options(activation=cntk.relu):
        model = layers.Sequential([
            layers.Convolution2D((5, 5), 32, pad=True),
            layers.MaxPooling((3, 3), strides=(2, 2)),
            layers.Convolution2D((3, 3), 48),
            layers.MaxPooling((3, 3), strides=(2, 2)),
            layers.Convolution2D((3, 3), 64),
            layers.Dense(96),
            layers.Dropout(0.5),
            layers.Dense(CLASSES, activation=None),
        ])
    return model(cntk.element_times(1.0 / 256, images))


def make_learner(parameters, rate):
    """Make a momentum SGD learner whose rates hold for a sample, in the way of this CNTK's version."""
    rates = [rate * step for step in RATE_STEPS]
    if hasattr(cntk, "learning_parameter_schedule_per_sample"):  # CNTK 2.2 and later
        rate_schedule = cntk.learning_parameter_schedule_per_sample(rates, epoch_size=TRAINING_DIGITS)
        momentums = [math.exp(-1.0 / samples) if samples else 0.0 for samples in MOMENTUM_SAMPLES]
        momentum_schedule = cntk.learners.momentum_schedule_per_sample(momentums, epoch_size=TRAINING_DIGITS)
    else:
        unit = cntk.learners.UnitType.sample
        rate_schedule = cntk.learners.learning_rate_schedule(rates, unit, TRAINING_DIGITS)
        momentum_schedule = cntk.learners.momentum_as_time_constant_schedule(MOMENTUM_SAMPLES, TRAINING_DIGITS)
    return cntk.learners.momentum_sgd(parameters, rate_schedule, momentum_schedule)


class Workers(object):
    """The processes that train together: one, or as many as mpirun started."""

    def __init__(self):
        sizes = [os.environ.get(name, "1") for name in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")]
        self.together = any(int(size) > 1 for size in sizes)
        self.count = cntk.Communicator.num_workers() if self.together else 1
        self.rank = cntk.Communicator.rank() if self.together else 0
        self.first = self.rank == 0

    def join(self, learner):
        """Let the learners of all processes work as one."""
        return cntk.data_parallel_distributed_learner(learner) if self.together else learner

    def leave(self):
        if self.together:
            cntk.Communicator.finalize()


def save(model, folder, name):
    """Write a model that is complete whenever it can be seen under its name."""
    final = os.path.join(folder, name)
    partial = final + ".partial"
    model.save(partial)
    os.rename(partial, final)


def train(trainer, source, inputs, options, workers, model):
    """Train epoch by epoch; say after each how it went, and keep its model."""
    step = max(options.digits // 6, 1)
    seen = 0
    for epoch in range(1, options.epochs + 1):
        started = time.time()
        samples, loss, errors, spoken = 0, 0.0, 0.0, step
        while seen < epoch * options.digits:
            wanted = min(options.minibatch_size, epoch * options.digits - seen)
            batch = source.next_minibatch(wanted, input_map=inputs, num_data_partitions=workers.count,
                                          partition_index=workers.rank)
            trainer.train_minibatch(batch)
            count = trainer.previous_minibatch_sample_count
            loss += trainer.previous_minibatch_loss_average * count
            errors += trainer.previous_minibatch_evaluation_average * count
            samples += count
            seen += count
            if workers.first and spoken <= samples < options.digits:
                say("  epoch %d: %5d of %d, loss %.6f, error %.3f %%"
                    % (epoch, samples, options.digits, loss / samples, 100 * errors / samples))
                spoken += step
        if workers.first:
            save(model, options.output, "ConvNet_MNIST_%d.dnn" % epoch)
            say("Epoch %d of %d: loss %.6f, error %.3f %%, %d samples in %.1f s"
                % (epoch, options.epochs, loss / samples, 100 * errors / samples, samples, time.time() - started))


def test(trainer, source, inputs):
    """Give the share of test digits that are taken for another, in percent."""
    errors, samples = 0.0, 0
    while samples < TEST_DIGITS:
        batch = source.next_minibatch(1000, input_map=inputs)
        if not batch:
            break
        count = batch[next(iter(batch))].num_samples
        errors += trainer.test_minibatch(batch) * count
        samples += count
    if samples != TEST_DIGITS:
        raise SystemExit("error: the test file holds %d digits and not %d" % (samples, TEST_DIGITS))
    return 100.0 * errors / samples


def main():
    options = command_line()
    try:
        os.makedirs(options.output)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
    cntk.cntk_py.set_fixed_random_seed(SEED)
    workers = Workers()
    images = cntk.input_variable(IMAGE_SHAPE)
    labels = cntk.input_variable(CLASSES)
    model = network(images)
    loss = cntk.cross_entropy_with_softmax(model, labels)
    errors = cntk.classification_error(model, labels)
    learner = workers.join(make_learner(model.parameters, options.learning_rate))
    trainer = cntk.Trainer(model, (loss, errors), [learner])

    training = digits(options.data, "Train-28x28_cntk_text.txt", True)
    testing = digits(options.data, "Test-28x28_cntk_text.txt", False)
    if workers.first:
        say("CNTK %s, Python %d.%d, %d process(es), %s" % (
            cntk.__version__, sys.version_info[0], sys.version_info[1], workers.count, cntk.use_default_device()))
    train(trainer, training, {images: training.streams.features, labels: training.streams.labels},
          options, workers, model)
    if workers.first:
        say("Test error: %.2f %%" % test(trainer, testing, {images: testing.streams.features,
                                                            labels: testing.streams.labels}))
    workers.leave()


if __name__ == "__main__":
    main()
