"""The thresholds of all verdicts, with their reasons.

They were fixed on the miniature's SAGAN and BigGAN and on four broken generators (values in [0, 1], classes off by one,
the class ignored, untrained), and then tested on others (docs/checking_a_generator.md). A fault is named where one is
passed; each asks for an effect that no sound generator has, not for a good one.
"""

from __future__ import annotations

# Of 1,000 labels five are named by chance in 0.5 % of the images; four times that is chance still, since an image may
# show its label's colour. A fifth is what a generator reaches that follows its labels at all: those of the miniature
# reach 85 %, one whose values are in [0, 1] still 39 %.
NO_LABEL, FOLLOWS = 0.02, 0.20


def no_label(classes: int) -> float:
    """The share of images that is chance still, where so many classes are looked at.

    Images that are all alike have the same five labels nearest: the best order gives these to five of the classes.
    """
    return max(NO_LABEL, 2 * 5 / classes)


# Another order, or a mend of the images, has to make the labels right far more often than they are: neighbours in
# ImageNet's order look alike, so a sound generator reaches 7 % off by one where it reaches 85 % as it is.
TIMES, POINTS = 2.0, 0.10
GAIN, SURE = 0.05, 4.0  # a mend's gain in top-5 accuracy, and McNemar's z of it: one in 30,000 by chance
# Of a constant image nothing changes but the last bits of a float. An untrained network's images may look the same to
# the eye, but vary by a tenth of a grey level or more.
CONSTANT = 0.02  # grey levels
# Shares of the pixels' variance that the class, or z, has a part in: half and more in sound generators.
NO_EFFECT = 0.01
CLASS_SHARE = 0.05  # and of CLIP's vectors' variance between classes: 90 % there
# Untrained: no label in any order, and CLIP's vectors spread by less than this part of those of the photographs, which
# are all of one kind of thing. The images of a single class are spread by a quarter of them, so that of a generator
# that ignores its class less is asked for. The Fréchet distance does not tell: one class alone is further than grey.
NO_SPREAD, NO_SPREAD_IN_ONE_CLASS = 0.5, 0.1
NEIGHBOURS, REPEAT = 0.02, 1e-4  # of values in [-1, 1]; what half precision and threads may move
BEYOND = 1.001
MANY = 0.01  # of the classes: one pair of labels that look alike has a place in ImageNet
LITTLE = 0.5  # of the least spread within classes that a generator of the world's own has
# A class is collapsed where its spread is below this part of the spread of all images, and two classes coincide where
# their images of one z are no further apart: rounding to 8 bits moves an image by less, any visible change by more.
NEARLY_ONE = 0.05
