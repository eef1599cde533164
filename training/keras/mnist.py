"""Trains a small convolutional network on MNIST with Keras, on whichever of its back ends KERAS_BACKEND names.

    python mnist.py DATA OUTPUT [--epochs 2] [--samples 12000] [--batch 64]

DATA holds MNIST in CNTK's text form; ``digits.py`` lies beside this file. The model goes to OUTPUT/model.h5, from where
it is read again and checked. Runs on Keras 2.2, Python 2.7 and 3.

Lines to read results from (standard output):

    back end: cntk, Keras 2.2.4
    Epoch 1 of 2: loss 0.512345 in 9.1 s
    Test error: 4.21 %
"""

import argparse
import os
import time

import digits
import keras
import numpy
from keras import backend, layers


class Reporter(keras.callbacks.Callback):
    """Prints a line for each epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        """Remember when it began."""
        self.begun = time.time()

    def on_epoch_end(self, epoch, logs=None):
        """Say what it came to."""
        seconds = time.time() - self.begun
        count = self.params["epochs"]
        print("Epoch %d of %d: loss %.6f in %.1f s" % (epoch + 1, count, logs["loss"], seconds))


def network():
    """Two convolutions with poolings, and two dense layers."""
    return keras.models.Sequential(
        [
            layers.Conv2D(8, 5, activation="relu", input_shape=(28, 28, 1)),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def prepared(images, labels):
    """Give images of 28 x 28 x 1 and labels as one of ten."""
    return images.reshape(-1, 28, 28, 1), keras.utils.to_categorical(labels, 10)


def main():
    """Read the command line, train, check what was saved."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("output")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--samples", type=int, default=12000)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    print("back end: %s, Keras %s" % (backend.backend(), keras.__version__))
    numpy.random.seed(1)
    images, labels = prepared(*digits.read_train(options.data, options.samples))
    model = network()
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, options.batch, options.epochs, verbose=0, callbacks=[Reporter()])
    saved = os.path.join(options.output, "model.h5")
    model.save(saved)
    accuracy = keras.models.load_model(saved).evaluate(*prepared(*digits.read_test(options.data)), verbose=0)[1]
    print("Test error: %.2f %%" % (100 * (1 - accuracy)))


if __name__ == "__main__":
    main()
