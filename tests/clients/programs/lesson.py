"""What the CNTK job runs: a step of gradient descent by CNTK, and a model that CNTK saves."""

from __future__ import print_function

import os
import sys

import cntk
import numpy

lesson, model = sys.argv[1:]
point, wanted = cntk.input_variable(2), cntk.input_variable(1)
weights = cntk.parameter((2, 1), init=0)
answer = cntk.times(point, weights)
loss = cntk.squared_error(answer, wanted)
batch = {point: numpy.array([[3, 4]], dtype="f"), wanted: numpy.array([[1]], dtype="f")}
weights.value = weights.value - 0.5 * loss.grad(batch, wrt=[weights])
answer.save(os.path.join(model, "model.dnn"))
print("weights", weights.value.ravel().tolist(), os.path.exists(os.path.join(lesson, "lesson.py")))
with open(os.path.join(model, "model.txt"), "w") as out:
    out.write("cntk %s\n" % cntk.__version__[:2])
