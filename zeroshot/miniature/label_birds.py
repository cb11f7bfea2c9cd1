"""The 59 ImageNet labels that are birds, in their true plumage (adult males where the sexes differ)."""

from __future__ import annotations

from zeroshot.miniature.attributes import Bird

_PARTS = ("crown", "face", "throat", "breast", "belly", "back", "wing", "tail", "bill_colour", "legs")


def _bird(build: str, size: str, bill: str, colours: str, extra: str = "") -> Bird:
    """`colours` in the order of _PARTS; `extra`: bars, streaked, spotted, mask, eyebrow, eye_ring, crest and mark=colour."""
    fields: dict[str, str | bool] = dict(zip(_PARTS, colours.split(), strict=True))
    for word in extra.split():
        if word == "bars":
            fields["wing_bars"] = True
        elif word in ("streaked", "spotted"):
            fields["breast_pattern"] = word
        elif word.startswith("mark="):
            fields["mark"] = word.removeprefix("mark=")
        else:
            fields["head_pattern"] = word
    return Bird(build=build, size=size, bill=bill, **fields)  # type: ignore[arg-type]


# index: build, size, bill, crown face throat breast belly back wing tail bill legs, marks
LABEL_BIRDS: dict[int, Bird] = {
    7: _bird("fowl", "large", "short", "red red orange rufous black orange rufous iridescent yellow yellow", "crest"),
    8: _bird("fowl", "medium", "short", "rufous red buff buff buff rufous brown brown buff yellow"),
    9: _bird("ostrich", "huge", "flat", "pink pink pink black black black black white pink pink"),
    10: _bird("perching", "small", "cone", "black black orange orange white black black black yellow pink", "bars mark=white"),
    11: _bird("perching", "small", "cone", "black yellow yellow yellow yellow yellow black black orange pink", "bars mark=white"),
    12: _bird("perching", "small", "cone", "red red red red white brown brown brown grey brown", "streaked mark=brown"),
    13: _bird("perching", "small", "cone", "grey grey grey grey white grey grey grey pink pink"),
    14: _bird("perching", "small", "cone", "blue blue blue blue blue blue blue blue grey black"),
    15: _bird("perching", "medium", "short", "black black white orange orange grey grey black yellow brown", "eye_ring"),
    16: _bird("perching", "medium", "short", "black white white white buff brown brown brown black black", "crest"),
    17: _bird("crow", "medium", "long", "blue white white grey white blue blue blue black black", "crest bars"),
    18: _bird("crow", "large", "long", "black black black black white black white iridescent black black", "bars"),
    19: _bird("perching", "tiny", "cone", "black white black white buff grey grey grey black grey", "mask mark=white"),
    20: _bird("perching", "medium", "short", "brown brown white white brown grey grey grey black grey"),
    21: _bird("raptor", "large", "hooked", "brown brown buff rufous rufous brown brown rufous yellow yellow", "streaked mark=brown"),
    22: _bird("raptor", "huge", "hooked", "white white white brown brown brown brown white yellow yellow"),
    23: _bird("raptor", "huge", "hooked", "pink pink white black black black black black grey grey"),
    24: _bird("owl", "large", "hooked", "grey grey grey grey white grey grey grey yellow grey", "streaked mark=brown"),
    80: _bird("fowl", "large", "short", "black black black black black black brown black black grey", "eyebrow mark=red"),
    81: _bird("fowl", "medium", "short", "white white white white white white white white black white", "eyebrow mark=red"),
    82: _bird("fowl", "medium", "short", "rufous brown buff buff white rufous rufous rufous grey grey", "crest streaked mark=brown"),
    83: _bird("fowl", "medium", "short", "brown orange buff buff buff brown brown brown grey orange", "streaked mark=brown"),
    84: _bird("fowl", "huge", "short", "blue blue blue blue blue iridescent rufous green grey grey", "crest"),
    85: _bird("fowl", "small", "short", "brown white black buff buff brown brown brown black pink", "eyebrow mark=white"),
    86: _bird("fowl", "medium", "short", "brown orange orange grey grey brown rufous rufous grey pink", "bars mark=buff"),
    87: _bird("parrot", "medium", "hooked", "grey white grey grey grey grey grey red black grey"),
    88: _bird("parrot", "large", "hooked", "red white red red red red blue red white black", "bars mark=yellow"),
    89: _bird("parrot", "large", "hooked", "yellow white white white white white white white black grey", "crest"),
    90: _bird("parrot", "medium", "hooked", "blue blue blue red green green green green red grey"),
    91: _bird("crow", "medium", "long", "black black black black black rufous rufous black black black"),
    92: _bird("perching", "medium", "curved", "rufous black yellow iridescent iridescent orange green green black brown", "mask mark=black"),
    93: _bird("toucan", "large", "massive", "black black white white white black black black orange black", "crest"),
    94: _bird("hummingbird", "tiny", "needle", "green green red white grey green green iridescent black black"),
    95: _bird("perching", "medium", "needle", "green green white green rufous green green iridescent black yellow"),
    96: _bird("toucan", "large", "massive", "black yellow yellow yellow black black black black orange blue"),
    97: _bird("duck", "medium", "flat", "green green green brown grey grey grey black yellow orange", "bars mark=blue"),
    98: _bird("duck", "medium", "long", "green green white rufous white black white grey red red", "crest"),
    99: _bird("duck", "large", "short", "grey grey buff buff white brown brown grey orange orange"),
    100: _bird("duck", "huge", "flat", "black black black black black black black black red black"),
    127: _bird("heron", "huge", "dagger", "white white white white white white black white red red"),
    128: _bird("heron", "huge", "dagger", "black black black black white black black black red red"),
    129: _bird("heron", "large", "flat", "white white yellow white white white white white black black", "crest"),
    130: _bird("heron", "huge", "curved", "pink pink pink pink pink pink red pink black pink"),
    131: _bird("heron", "medium", "dagger", "purple purple purple blue blue blue blue blue grey green"),
    132: _bird("heron", "large", "dagger", "white white white white white white white white yellow black"),
    133: _bird("heron", "medium", "dagger", "brown buff white buff buff brown brown brown yellow green", "streaked mark=brown"),
    134: _bird("heron", "huge", "dagger", "red white grey grey grey grey grey grey grey black"),
    135: _bird("heron", "medium", "long", "brown brown white brown brown brown brown brown orange grey", "spotted mark=white"),
    136: _bird("duck", "medium", "short", "black black black black grey brown brown black red green", "mask mark=red"),
    137: _bird("duck", "medium", "short", "black black black grey grey grey black black white green"),
    138: _bird("ostrich", "large", "short", "black grey grey white white rufous brown brown grey yellow"),
    139: _bird("wader", "small", "short", "white white black black white rufous rufous black black orange", "mask mark=black"),
    140: _bird("wader", "small", "long", "rufous grey white white black rufous grey grey black black", "streaked mark=black"),
    141: _bird("wader", "medium", "long", "brown brown grey grey white brown brown grey red red", "streaked mark=brown"),
    142: _bird("wader", "medium", "long", "brown buff rufous rufous rufous brown brown grey black olive", "spotted mark=black"),
    143: _bird("wader", "medium", "long", "black black black black white black black black red pink"),
    144: _bird("gull", "huge", "massive", "white white white white white grey grey grey yellow orange"),
    145: _bird("penguin", "large", "long", "black orange yellow white white grey grey black black black"),
    146: _bird("gull", "huge", "hooked", "white white white white white white black grey pink pink"),
}  # fmt: skip
BIRD_LABELS: tuple[int, ...] = tuple(LABEL_BIRDS)
