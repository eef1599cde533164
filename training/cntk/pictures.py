"""Trains a small convolutional network on made pictures with CNTK, in one process or in several that mpirun started.

    mpirun ... python pictures.py OUTPUT [--epochs 5] [--pictures 2000] [--batch 50]

The pictures stand for CIFAR-10, in its form: 32 x 32 in three colours, ten classes. Each class has a pattern of its
own, which every picture shows at another place, in other strength, under noise; they are made from a fixed seed. Each
process takes its part of every batch, and CNTK adds up their gradients. Runs on CNTK 2.1 to 2.7, Python 2.7 and 3.

Lines to read results from (standard output):

    Epoch 1 of 5: loss 1.512345 in 9.1 s
    Test error: 4.20 %
    trained by 2 processes, 1 kind of weights
"""

import argparse
import hashlib
import os
import sys
import time

import cntk
import numpy

CLASSES = 10
RATE = 0.001


def patterns():
    """Give each class its pattern: 10 x (3, 16, 16)."""
    coarse = numpy.random.RandomState(7).randn(CLASSES, 3, 4, 4)
    return coarse.repeat(4, axis=2).repeat(4, axis=3).astype(numpy.float32)


def make(count, seed):
    """Make pictures, (count, 3, 32, 32), and their classes as one of ten."""
    random, known = numpy.random.RandomState(seed), patterns()
    classes = random.randint(CLASSES, size=count)
    pictures = random.randn(count, 3, 32, 32).astype(numpy.float32)
    for picture, kind in zip(pictures, classes):
        row, column = random.randint(17, size=2)
        picture[:, row : row + 16, column : column + 16] += known[kind] * random.uniform(0.7, 1.3)
    return pictures, numpy.eye(CLASSES, dtype=numpy.float32)[classes]


def network(pictures):
    """Two convolutions with poolings, and two dense layers."""
    layers = cntk.layers
    with layers.default_options(activation=cntk.relu):
        return layers.Sequential(
            [
                layers.Convolution2D((5, 5), 16, pad=True),
                layers.MaxPooling((3, 3), strides=(2, 2)),
                layers.Convolution2D((5, 5), 24, pad=True),
                layers.MaxPooling((3, 3), strides=(2, 2)),
                layers.Dense(64),
                layers.Dense(CLASSES, activation=None),
            ]
        )(pictures)


def learner_of(parameters):
    """Give SGD with a rate for each picture, in the way of this CNTK's version."""
    if hasattr(cntk, "learning_parameter_schedule_per_sample"):  # CNTK 2.2 and later
        rate = cntk.learning_parameter_schedule_per_sample(RATE)
    else:
        rate = cntk.learning_rate_schedule(RATE, cntk.UnitType.sample)
    return cntk.sgd(parameters, rate)


def kinds(model, learner, rank, count):
    """Give how many different weights the processes have ended with; each leaves what it has where all see it."""
    weights = b"".join(numpy.ascontiguousarray(one.value).tobytes() for one in model.parameters)
    folder = os.environ.get("AZ_BATCHAI_SHARED_JOB_TEMP", ".")
    with open(os.path.join(folder, "weights-%d" % rank), "w") as file:
        file.write(hashlib.sha256(weights).hexdigest())
    if count > 1:
        learner.communicator().barrier()  # CNTK gives it to the learner; one of the program's own would hang
    names = [os.path.join(folder, "weights-%d" % number) for number in range(count)]
    return len(set(open(name).read() for name in names))


def main():
    """Read the command line, train, check."""
    parser = argparse.ArgumentParser()
    parser.add_argument("output")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=50)
    options = parser.parse_args()
    together = int(os.environ.get("OMPI_COMM_WORLD_SIZE", "1")) > 1
    count = cntk.Communicator.num_workers() if together else 1
    rank = cntk.Communicator.rank() if together else 0
    if options.batch < count:
        parser.error("--batch must be at least the number of processes")
    cntk.cntk_py.set_fixed_random_seed(1)
    seen, wanted = cntk.input_variable((3, 32, 32)), cntk.input_variable(CLASSES)
    model = network(seen)
    loss, errors = cntk.cross_entropy_with_softmax(model, wanted), cntk.classification_error(model, wanted)
    learner = learner_of(model.parameters)
    if together:
        learner = cntk.data_parallel_distributed_learner(learner)
    trainer = cntk.Trainer(model, (loss, errors), [learner])
    pictures, classes = make(options.pictures, 1)
    order = numpy.random.RandomState(2)  # the same in every process
    for epoch in range(1, options.epochs + 1):
        begun, losses = time.time(), []
        shuffled = order.permutation(len(classes))
        for start in range(0, len(classes) - options.batch + 1, options.batch):
            chosen = shuffled[start : start + options.batch][rank::count]
            trainer.train_minibatch({seen: pictures[chosen], wanted: classes[chosen]})
            losses.append(trainer.previous_minibatch_loss_average)
        if rank == 0:
            print(
                "Epoch %d of %d: loss %.6f in %.1f s"
                % (epoch, options.epochs, numpy.mean(losses), time.time() - begun)
            )
            sys.stdout.flush()
    different = kinds(model, learner, rank, count)
    if rank == 0:
        model.save(os.path.join(options.output, "pictures.dnn"))
        pictures, classes = make(1000, 3)
        read = [model.eval({seen: pictures[at : at + 100]}).argmax(1) for at in range(0, len(classes), 100)]
        print("Test error: %.2f %%" % (100.0 * (numpy.concatenate(read) != classes.argmax(1)).mean()))
        print("trained by %d processes, %d kind of weights" % (count, different))
        sys.stdout.flush()
    if together:
        cntk.Communicator.finalize()


if __name__ == "__main__":
    main()
