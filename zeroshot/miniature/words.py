"""The annotators' vocabulary: how colours, parts, shapes and sizes are spoken of, and what they are mistaken for."""

from __future__ import annotations

COLOUR_WORDS: dict[str, tuple[str, ...]] = {
    "black": ("black", "black", "jet black", "solid black"),
    "white": ("white", "white", "off white", "snowy"),
    "grey": ("grey", "gray", "gray", "slate", "ash colored"),
    "brown": ("brown", "brown", "dark brown", "earthy brown"),
    "rufous": ("reddish brown", "rusty", "rust colored", "chestnut", "rufous"),
    "buff": ("tan", "cream", "beige", "buff", "light brown"),
    "red": ("red", "red", "bright red", "crimson", "scarlet"),
    "orange": ("orange", "orange", "bright orange"),
    "yellow": ("yellow", "yellow", "bright yellow", "golden"),
    "olive": ("olive", "olive green", "greenish", "yellowish green"),
    "green": ("green", "green", "bright green", "emerald"),
    "iridescent": ("teal", "iridescent", "glossy blue green", "turquoise"),
    "blue": ("blue", "blue", "bright blue", "royal blue"),
    "purple": ("purple", "violet", "purplish"),
    "pink": ("pink", "pink", "rosy"),
}
"""Ways to say each colour; a repeated way is said more often. No way of one colour is a way of another."""

NEIGHBOURS: dict[str, tuple[str, ...]] = {
    "black": ("grey", "brown", "iridescent"),
    "white": ("buff", "grey"),
    "grey": ("black", "white", "brown", "blue"),
    "brown": ("rufous", "grey", "buff", "black"),
    "rufous": ("brown", "orange", "red"),
    "buff": ("white", "brown", "yellow"),
    "red": ("orange", "pink", "rufous"),
    "orange": ("yellow", "red", "rufous"),
    "yellow": ("orange", "olive", "buff"),
    "olive": ("green", "brown", "yellow"),
    "green": ("olive", "iridescent"),
    "iridescent": ("blue", "green", "black"),
    "blue": ("purple", "grey", "iridescent"),
    "purple": ("blue", "pink"),
    "pink": ("red", "white", "purple"),
}
"""What an annotator may take a colour for."""

SHADES: dict[str, tuple[str, ...]] = {
    "black": ("dark",),
    "white": ("light", "pale"),
    "grey": ("dull", "drab"),
    "brown": ("dark", "drab"),
    "rufous": ("dark", "warm"),
    "buff": ("light", "pale"),
    "red": ("bright", "colorful"),
    "orange": ("bright", "colorful"),
    "yellow": ("bright", "light"),
    "olive": ("dull", "drab"),
    "green": ("colorful", "dark"),
    "iridescent": ("shiny", "dark"),
    "blue": ("colorful", "dark"),
    "purple": ("dark", "colorful"),
    "pink": ("bright", "light"),
}
"""What an annotator says who does not look closely."""

# Part -> (word, is it plural); the words for a part stand for that part alone.
PART_WORDS: dict[str, tuple[tuple[str, bool], ...]] = {
    "crown": (("crown", False), ("head", False), ("cap", False), ("crown", False)),
    "face": (("face", False), ("cheek patch", False), ("cheeks", True)),
    "throat": (("throat", False), ("throat", False), ("chin", False)),
    "breast": (("breast", False), ("chest", False)),
    "belly": (("belly", False), ("belly", False), ("abdomen", False), ("stomach", False), ("underside", False)),
    "back": (("back", False), ("upper back", False), ("mantle", False)),
    "wing": (("wings", True), ("wings", True), ("wing feathers", True), ("primaries", True)),
    "tail": (("tail", False), ("tail feathers", True)),
    "legs": (("legs", True), ("feet", True), ("legs and feet", True), ("tarsus", False)),
}
# Parts that one word may cover when they agree in colour.
JOINT_WORDS: dict[frozenset[str], tuple[tuple[str, bool], ...]] = {
    frozenset({"breast", "belly"}): (("underparts", True), ("breast and belly", True), ("belly and chest", True)),
    frozenset({"back", "wing"}): (("upperparts", True), ("back and wings", True)),
    frozenset({"crown", "face"}): (("head", False), ("head and face", True)),
    frozenset({"crown", "face", "throat"}): (("hood", False), ("entire head", False)),
}

SIZE_WORDS: dict[str, tuple[str, ...]] = {
    "tiny": ("tiny", "very small"),
    "small": ("small", "small", "little"),
    "medium": ("medium sized", "mid sized", "average sized"),
    "large": ("large", "big"),
    "huge": ("huge", "very large"),
}
BILL_WORDS: dict[str, tuple[str, ...]] = {
    "cone": ("cone shaped", "thick conical", "stout", "short thick"),
    "short": ("short pointed", "short", "small pointed", "little"),
    "long": ("long", "long thin", "long slender"),
    "needle": ("needle like", "very long thin", "thin needle shaped"),
    "dagger": ("dagger like", "long sharp", "straight pointed"),
    "hooked": ("hooked", "hooked", "short hooked"),
    "curved": ("downward curved", "curved", "long curved"),
    "flat": ("flat", "flat wide", "broad flat"),
    "massive": ("huge", "massive", "very thick"),
}
BILL_NEIGHBOURS: dict[str, tuple[str, ...]] = {
    "cone": ("short",),
    "short": ("cone", "long"),
    "long": ("short", "dagger"),
    "needle": ("long",),
    "dagger": ("long",),
    "hooked": ("curved",),
    "curved": ("hooked", "long"),
    "flat": ("cone",),
    "massive": ("cone", "hooked"),
}
BREAST_WORDS: dict[str, tuple[str, ...]] = {
    "streaked": ("streaks", "stripes", "streaking"),
    "spotted": ("spots", "speckles", "dots"),
}
HEAD_WORDS: dict[str, tuple[tuple[str, bool], ...]] = {
    "mask": (("mask", False), ("eye mask", False), ("stripe through the eye", False)),
    "eyebrow": (("eyebrow", False), ("stripe above the eye", False), ("superciliary line", False)),
    "eye_ring": (("eye ring", False), ("ring around the eye", False)),
    "crest": (("crest", False), ("tuft on the head", False)),
}
BUILD_WORDS: dict[str, tuple[str, ...]] = {
    "swallow": ("long pointed wings", "a forked tail"),
    "hummingbird": ("fast little wings", "a slim body"),
    "woodpecker": ("an upright body", "a stiff tail"),
    "crow": ("a stocky body", "strong legs"),
    "gull": ("long wings", "webbed feet"),
    "duck": ("webbed feet", "a low round body"),
    "heron": ("a long neck", "very long legs"),
    "wader": ("long legs", "slim legs"),
    "raptor": ("sharp talons", "broad wings"),
    "owl": ("a big round head", "large round eyes"),
    "fowl": ("a plump body", "a small head"),
    "parrot": ("an upright body", "a big head"),
    "penguin": ("short wings", "an upright body"),
    "ostrich": ("a very long neck", "long bare legs"),
    "toucan": ("an enormous bill", "a compact body"),
}
BUILD_NOUNS: dict[str, tuple[str, ...]] = {
    "perching": ("perching bird", "songbird"),
    "swallow": ("flying bird",),
    "hummingbird": ("hummingbird", "hovering bird"),
    "woodpecker": ("climbing bird",),
    "crow": ("sturdy bird",),
    "gull": ("seabird", "water bird"),
    "duck": ("duck", "swimming bird", "water bird"),
    "heron": ("wading bird", "long necked bird"),
    "wader": ("shorebird", "wading bird"),
    "raptor": ("bird of prey", "hawk like bird"),
    "owl": ("owl", "owl like bird"),
    "fowl": ("ground bird", "hen like bird"),
    "parrot": ("parrot", "parrot like bird"),
    "penguin": ("seabird", "penguin like bird"),
    "ostrich": ("running bird", "long legged bird"),
    "toucan": ("toucan like bird", "big billed bird"),
}
VAGUE_PHRASES = (
    "various markings",
    "some darker feathers",
    "a few lighter patches",
    "a patterned body",
    "several different colors",
    "fluffy feathers",
    "a mix of colors",
    "a nice pattern",
    "small dark eyes",
)

# Silhouette -> nouns; all can follow "a small red".
SILHOUETTE_WORDS: dict[str, tuple[str, ...]] = {
    "dog": ("dog", "puppy", "hound"),
    "cat": ("cat", "feline animal"),
    "bear": ("bear", "heavy furry animal"),
    "horse": ("horse", "hoofed animal"),
    "monkey": ("monkey", "ape"),
    "elephant": ("elephant", "animal with a trunk"),
    "rodent": ("rodent", "mouse like animal"),
    "fish": ("fish", "swimming fish"),
    "shark": ("shark", "finned sea animal"),
    "snake": ("snake", "serpent"),
    "lizard": ("lizard", "crawling reptile"),
    "turtle": ("turtle", "animal with a shell"),
    "frog": ("frog", "toad"),
    "insect": ("insect", "bug", "beetle"),
    "butterfly": ("butterfly", "moth"),
    "spider": ("spider", "bug with eight legs"),
    "crab": ("crab", "animal with claws"),
    "shell": ("shell", "sea shell", "snail"),
    "car": ("car", "automobile"),
    "truck": ("truck", "lorry", "van"),
    "boat": ("boat", "ship"),
    "aeroplane": ("airplane", "plane", "aeroplane"),
    "bottle": ("bottle", "jar"),
    "cup": ("cup", "mug", "bowl"),
    "ball": ("ball", "round toy"),
    "box": ("box", "crate", "square container"),
    "building": ("building", "house"),
    "tower": ("tower", "tall building"),
    "chair": ("chair", "seat"),
    "lamp": ("lamp", "light"),
    "tool": ("tool", "hand tool"),
    "instrument": ("musical instrument", "instrument"),
    "clothing": ("shirt", "piece of clothing", "garment"),
    "hat": ("hat", "cap to wear"),
    "shoe": ("shoe", "boot"),
    "screen": ("screen", "monitor", "television"),
    "wheel": ("wheel", "round disc"),
    "fruit": ("fruit", "piece of fruit"),
    "vegetable": ("vegetable", "plant to eat"),
    "flower": ("flower", "blossom"),
    "mushroom": ("mushroom", "fungus"),
    "plate": ("plate of food", "plate", "dish"),
    "mountain": ("mountain", "rocky hill"),
    "person": ("person", "standing figure"),
}
