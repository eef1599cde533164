"""Trains a small network on MNIST with Chainer and ChainerMN, in one process or in several that mpirun started.

    mpirun ... python mnist.py DATA OUTPUT [--epochs 2] [--samples 12000] [--batch 64]

DATA holds MNIST in CNTK's text form; ``digits.py`` lies beside this file. Each process takes its part of every batch,
and ChainerMN averages their gradients. The first one reports, saves the model to OUTPUT and checks it. Runs on Chainer
4 and later, Python 2.7 and 3, on the CPU.

Lines to read results from (standard output):

    Epoch 1 of 2: loss 0.512345 in 9.1 s
    Test error: 4.21 %
    trained by 2 processes on 2 nodes, weights differ by 0
"""

import argparse
import os
import socket
import sys
import time

import chainer
import chainermn
import digits
import numpy
from chainer import functions, links


class Perceptron(chainer.Chain):
    """Two layers of 128 and 10."""

    def __init__(self):
        super(Perceptron, self).__init__()
        with self.init_scope():
            self.hidden = links.Linear(784, 128)
            self.last = links.Linear(128, 10)

    def __call__(self, images):
        return self.last(functions.relu(self.hidden(images)))


def train(options, together):
    """Train; gives the network."""
    images, labels = digits.read_train(options.data, options.samples)
    labels = labels.astype(numpy.int32)
    numpy.random.seed(1)
    network = Perceptron()
    optimizer = chainermn.create_multi_node_optimizer(chainer.optimizers.Adam(), together)
    optimizer.setup(network)

    def loss_of(seen, wanted):
        return functions.softmax_cross_entropy(network(seen), wanted)

    together.broadcast_data(network)
    order = numpy.random.RandomState(2)  # the same in every process
    for epoch in range(1, options.epochs + 1):
        begun, losses = time.time(), []
        shuffled = order.permutation(len(labels))
        for start in range(0, len(labels) - options.batch + 1, options.batch):
            chosen = shuffled[start : start + options.batch][together.rank :: together.size]
            optimizer.update(loss_of, images[chosen], labels[chosen])
            if start % (options.batch * 10) == 0:
                losses.append(float(loss_of(images[chosen], labels[chosen]).data))
        if together.rank == 0:
            seconds = time.time() - begun
            print("Epoch %d of %d: loss %.6f in %.1f s" % (epoch, options.epochs, numpy.mean(losses), seconds))
            sys.stdout.flush()
    return network


def largest_difference(network, together):
    """Give by how much any process's weights differ from the first one's."""
    mine = numpy.concatenate([parameter.data.ravel() for _, parameter in sorted(network.namedparams())])
    first = together.mpi_comm.bcast(mine if together.rank == 0 else None, 0)
    return max(together.mpi_comm.allgather(float(abs(mine - first).max())))


def main():
    """Read the command line, train, check."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("output")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--samples", type=int, default=12000)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    together = chainermn.create_communicator("naive")
    if options.batch < together.size:
        parser.error("--batch must be at least the number of processes")
    network = train(options, together)
    difference = largest_difference(network, together)
    # A node is known by its name, or where all have this machine's, by its own temporary folder.
    here = "%s %s" % (socket.gethostname(), os.environ.get("AZ_BATCHAI_JOB_TEMP", ""))
    nodes = set(together.mpi_comm.allgather(here))
    if together.rank == 0:
        chainer.serializers.save_npz(os.path.join(options.output, "model.npz"), network)
        images, labels = digits.read_test(options.data)
        with chainer.no_backprop_mode():
            read = network(images).data.argmax(1)
        print("Test error: %.2f %%" % (100.0 * (read != labels).mean()))
        print(
            "trained by %d processes on %d nodes, weights differ by %g" % (together.size, len(nodes), difference)
        )


if __name__ == "__main__":
    main()
