"""What a toolkit prints on every start is one notice on the screen; nothing else is ever kept back."""

from __future__ import annotations

from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.report.base import Recording
from batchai_scenario.scenarios.report.folding import LONGEST, Folding, read_noise
from batchai_scenario.training.installed import training_folder

BOX = """\
/home/x/dist-packages/cntk/cntk_py_init.py:90: UserWarning:

################################################ Missing optional dependency (    MKL     ) ####
   CNTK may crash if the component that depends on those dependencies is loaded.
   Visit https://docs.microsoft.com/en-us/cognitive-toolkit/Setup-Linux-Python#mkl for more information.
#########################################################################################

  warnings.warn(WARNING_MSG % ('    MKL     ', 'https://docs.microsoft.com'))
"""


class Heard:
    def __init__(self) -> None:
        self.recording = Recording()
        self.folding = Folding(self.recording, read_noise(training_folder()))

    def lines(self, text: str, file: str = "stderr.txt", *, important: bool = False) -> None:
        for line in text.splitlines():
            self.folding.handle(e.LogLine("train", file, line, important))

    @property
    def shown(self) -> list[str]:
        return [
            event.text if isinstance(event, e.LogLine) else f"! {event.text}"
            for event in self.recording.events
            if isinstance(event, (e.LogLine, e.Notice))
        ]


def test_boxes_are_one_notice_and_what_is_around_them_is_shown() -> None:
    heard = Heard()
    heard.lines(f"before\n{BOX}{BOX.replace('MKL', 'OpenCV')}after\n")
    before, notice, after = heard.shown
    assert (before, after) == ("before", "after")
    assert notice.startswith("! CNTK warns")


def test_another_stream_is_shown_in_the_middle_of_a_box() -> None:
    heard = Heard()
    first, *rest = BOX.splitlines()
    heard.lines(first)
    heard.lines("loss 1", "stdout.txt")
    heard.lines("\n".join(rest))
    assert heard.shown[0] == "loss 1"
    assert len(heard.shown) == 2


def test_a_line_that_matters_is_shown_wherever_it_stands() -> None:
    heard = Heard()
    heard.lines(BOX.splitlines()[0])
    heard.lines("Test error: 1 %", important=True)
    assert heard.shown == ["Test error: 1 %"]


def test_a_box_without_an_end_is_shown_when_the_job_ends() -> None:
    heard = Heard()
    heard.lines("\n".join(BOX.splitlines()[:4]))
    assert heard.shown == []
    heard.folding.handle(e.JobChanged("train", "failed", "id", 1))
    assert heard.shown == BOX.splitlines()[:4]
    assert heard.recording.events[-1] == e.JobChanged("train", "failed", "id", 1)


def test_what_is_too_long_for_a_box_is_shown_whole_and_in_order() -> None:
    heard = Heard()
    text = "\n".join([BOX.splitlines()[0], *map(str, range(LONGEST + 5))])
    heard.lines(text)
    assert heard.shown == text.splitlines()
