"""Trains a small network on MNIST with TensorFlow 1.x and Horovod, in the processes that mpirun started.

    mpirun ... python mnist.py DATA OUTPUT [--epochs 3] [--samples 12000] [--batch 64]

DATA holds MNIST in CNTK's text form; ``digits.py`` lies beside this file. Each process takes its part of every batch,
and Horovod averages their gradients. The first one reports, saves the model to OUTPUT and checks it. Python 2.7 and 3.

Lines to read results from (standard output):

    Epoch 1 of 3: loss 0.512345 in 9.1 s
    Test error: 4.21 %
    trained by 2 processes, weights differ by 0
"""

import argparse
import os
import sys
import time

import digits
import horovod.tensorflow as hvd
import numpy
import tensorflow as tf


def network(images):
    """Two layers of 128 and 10."""
    initial = tf.glorot_uniform_initializer(seed=1)
    hidden = tf.layers.dense(images, 128, tf.nn.relu, kernel_initializer=initial)
    return tf.layers.dense(hidden, 10, kernel_initializer=initial)


def largest_difference(session):
    """Give by how much, as a mean over processes, weights differ from the first one's."""
    weights = tf.concat([tf.reshape(variable, [-1]) for variable in tf.trainable_variables()], 0)
    difference = tf.reduce_max(tf.abs(weights - hvd.broadcast(weights, 0)))
    return float(session.run(hvd.allreduce(difference)))


def main():
    """Read the command line, train, check."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("output")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--samples", type=int, default=12000)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    hvd.init()
    if options.batch < hvd.size():
        parser.error("--batch must be at least the number of processes")
    images, labels = digits.read_train(options.data, options.samples)
    seen, wanted = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.int64, [None])
    answers = network(seen)
    loss = tf.losses.sparse_softmax_cross_entropy(wanted, answers)
    wrong = tf.reduce_mean(tf.to_float(tf.not_equal(tf.argmax(answers, 1), wanted)))
    train = hvd.DistributedOptimizer(tf.train.AdamOptimizer()).minimize(loss)
    limits = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=2)
    with tf.Session(config=limits) as session:
        session.run(tf.global_variables_initializer())
        session.run(hvd.broadcast_global_variables(0))
        order = numpy.random.RandomState(2)  # the same in every process
        for epoch in range(1, options.epochs + 1):
            begun, losses = time.time(), []
            shuffled = order.permutation(len(labels))
            for start in range(0, len(labels) - options.batch + 1, options.batch):
                chosen = shuffled[start : start + options.batch][hvd.rank() :: hvd.size()]
                feed = {seen: images[chosen], wanted: labels[chosen]}
                losses.append(session.run([loss, train], feed)[0])
            if hvd.rank() == 0:
                seconds = time.time() - begun
                print("Epoch %d of %d: loss %.6f in %.1f s" % (epoch, options.epochs, numpy.mean(losses), seconds))
                sys.stdout.flush()
        difference = largest_difference(session)
        if hvd.rank() == 0:
            tf.train.Saver(tf.trainable_variables()).save(session, os.path.join(options.output, "model"))
            images, labels = digits.read_test(options.data)
            print("Test error: %.2f %%" % (100 * session.run(wrong, {seen: images, wanted: labels})))
            print("trained by %d processes, weights differ by %g" % (hvd.size(), difference))


if __name__ == "__main__":
    main()
