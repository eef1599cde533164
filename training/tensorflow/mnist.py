"""Trains a small network on MNIST with TensorFlow 1.x: in one process, or by workers and parameter servers.

    python mnist.py DATA OUTPUT [--epochs 2] [--samples 12000] [--batch 64] [--learning_rate 0.001]

DATA holds ``Train-28x28_cntk_text.txt`` and ``Test-28x28_cntk_text.txt``. The role is read from TF_CONFIG, as
the service sets it: workers share out the digits and train one model that the parameter servers hold; the first
worker reports, saves the model to OUTPUT and checks it. Runs on Python 2.7 and 3, TensorFlow 1.4 to 1.15.
"""

import argparse
import hashlib
import json
import os
import time

import numpy
import tensorflow as tf


def read(path, samples, first=0, step=1):
    """Read digits ``first``, ``first + step``, ... of the first ``samples`` from a CNTK text file."""
    images, labels = [], []
    with open(path) as lines:
        for number, line in enumerate(lines):
            if samples and number >= samples:
                break
            if number % step != first:
                continue
            _, label, features = line.split("|")
            labels.append(label.split()[1:].index("1"))
            images.append(numpy.array(features.split()[1:], dtype=numpy.uint8))
    return numpy.stack(images).astype(numpy.float32) / 255, numpy.array(labels, dtype=numpy.int32)


def network(images):
    """Two layers of 128 and 10."""
    initial = tf.glorot_uniform_initializer(seed=1)
    hidden = tf.layers.dense(images, 128, tf.nn.relu, kernel_initializer=initial)
    return tf.layers.dense(hidden, 10, kernel_initializer=initial)


def work(options, cluster, index):
    """Train as a worker; the first one reports."""
    server = None
    device = None
    workers = cluster.get("worker", [""])
    if cluster.get("ps"):
        specification = tf.train.ClusterSpec(cluster)
        limits = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=2)
        server = tf.train.Server(specification, "worker", index, config=limits)
        device = tf.train.replica_device_setter(
            cluster=specification, worker_device="/job:worker/task:%d" % index
        )
    images, labels = read(
        os.path.join(options.data, "Train-28x28_cntk_text.txt"), options.samples, index, len(workers)
    )
    tests = read(os.path.join(options.data, "Test-28x28_cntk_text.txt"), 0) if index == 0 else None
    print("worker %d of %d: %d digits" % (index, len(workers), len(labels)))
    with tf.device(device):
        seen, wanted = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.int32, [None])
        answers = network(seen)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=wanted, logits=answers))
        wrong = tf.reduce_mean(tf.to_float(tf.not_equal(tf.argmax(answers, 1, output_type=tf.int32), wanted)))
        step = tf.train.get_or_create_global_step()
        train = tf.train.AdamOptimizer(options.learning_rate).minimize(loss, step)
        # Every worker counts its epochs here: the first one waits for the others before it checks the model.
        done = tf.get_variable("done", [], tf.int32, tf.zeros_initializer(), trainable=False)
        one_more = tf.assign_add(done, 1, use_locking=True)
        saver = tf.train.Saver(tf.trainable_variables())
    target = server.target if server else ""
    with tf.train.MonitoredTrainingSession(target, is_chief=index == 0, hooks=[]) as session:
        order = numpy.random.RandomState(index)
        for epoch in range(1, options.epochs + 1):
            begun, losses = time.time(), []
            shuffled = order.permutation(len(labels))
            for start in range(0, len(labels) - options.batch + 1, options.batch):
                chosen = shuffled[start : start + options.batch]
                losses.append(session.run([loss, train], {seen: images[chosen], wanted: labels[chosen]})[0])
            print(
                "Epoch %d of %d: loss %.6f in %.1f s"
                % (epoch, options.epochs, numpy.mean(losses), time.time() - begun)
            )
        session.run(one_more)
        while index == 0 and session.run(done) < len(workers):
            time.sleep(0.1)
        if index == 0:
            saver.save(session._tf_sess(), os.path.join(options.output, "model"))
            print("Test error: %.2f %%" % (100 * session.run(wrong, {seen: tests[0], wanted: tests[1]})))
        weights = [session.run(variable) for variable in tf.trainable_variables()] if index == 0 else []
    if index == 0:
        digest = hashlib.sha256(b"".join(weight.tobytes() for weight in weights)).hexdigest()
        print("trained by %d workers, weights %s" % (len(workers), digest[:16]))


def main():
    """Read the command line and the role."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("output")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--samples", type=int, default=12000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning_rate", type=float, default=0.001)
    options = parser.parse_args()
    configuration = json.loads(os.environ.get("TF_CONFIG") or "{}")
    cluster, task = configuration.get("cluster", {}), configuration.get("task", {})
    if task.get("type") == "ps":
        tf.train.Server(tf.train.ClusterSpec(cluster), "ps", task["index"]).join()
    work(options, cluster, task.get("index", 0))


if __name__ == "__main__":
    main()
