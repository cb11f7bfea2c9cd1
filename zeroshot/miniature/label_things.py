"""What the renderer draws for each of the 1,000 ImageNet labels."""

from __future__ import annotations

import colorsys
import hashlib
import re
from functools import cache

from zeroshot.miniature.attributes import COLOURS, Object, Thing
from zeroshot.miniature.label_birds import BIRD_LABELS, LABEL_BIRDS
from zeroshot.worlds.labels import read_labels

__all__ = ["BIRD_LABELS", "label_things"]

# First index of a run of classes -> silhouette; the birds in between have pictures of their own.
_RANGES = {
    0: "fish", 2: "shark", 5: "fish", 25: "lizard", 30: "frog", 33: "turtle", 38: "lizard", 52: "snake", 69: "spider",
    78: "insect", 101: "elephant", 102: "rodent", 104: "bear", 107: "shell", 110: "crab", 111: "snake", 112: "shell",
    118: "crab", 126: "crab", 147: "shark", 149: "fish", 151: "dog", 281: "cat", 294: "bear", 298: "rodent",
    300: "insect", 321: "butterfly", 327: "flower", 328: "ball", 329: "vegetable", 330: "rodent", 339: "horse",
    341: "bear", 345: "horse", 356: "rodent", 365: "monkey", 385: "elephant", 387: "bear", 389: "fish", 398: "",
    924: "plate", 928: "bottle", 930: "vegetable", 931: "wheel", 932: "plate", 936: "vegetable", 947: "mushroom",
    948: "fruit", 958: "plate", 966: "cup", 970: "mountain", 971: "ball", 972: "mountain", 981: "person",
    984: "flower", 987: "vegetable", 988: "fruit", 991: "mushroom", 998: "vegetable", 999: "box",
}  # fmt: skip

# For the artefacts (398-923): the first silhouette one of whose patterns is a whole word of the name.
_WORDS = {
    "aeroplane": r"airliner airship \w*plane space.shuttle missile projectile wing parachute",
    "boat": (
        r"\w*boat \w*ship canoe catamaran gondola schooner trimaran yawl submarine wreck liner "
        r"aircraft.carrier paddlewheel"
    ),
    "truck": (
        r"truck van \w*bus ambulance trailer trolleybus streetcar locomotive train passenger.car freight.car "
        r"mobile.home recreational.vehicle tractor harvester thresher snowplow forklift fire.engine tank "
        r"half.track amphibian"
    ),
    "car": (
        r"car cab wagon convertible jeep limousine racer Model.T go-kart golfcart minivan pickup bobsled "
        r"sports.car beach.wagon dogsled snowmobile"
    ),
    "wheel": (
        r"wheel \w*bicycle.* bike moped scooter tricycle unicycle disk.brake gong chain coil manhole "
        r"steel.drum waffle.iron pinwheel"
    ),
    "shoe": r"shoe boot clog Loafer sandal sock stocking ski running",
    "hat": r"hat cap bonnet bearskin helmet pickelhaube sombrero wig mortarboard",
    "clothing": (
        r"abaya gown apron backpack bib bikini brassiere breastplate vest cardigan cloak cuirass diaper "
        r"fur.coat jean jersey kimono lab.coat trench.coat maillot mitten uniform skirt pajama poncho sarong "
        r"stole suit sweatshirt trunks swimming.trunks vestment velvet wool mask feather purse wallet tie "
        r"knee.pad neck.brace towel quilt chain.mail sleeping.bag"
    ),
    "instrument": (
        r"guitar accordion banjo bassoon cello cornet drum flute French.horn piano harmonica harp maraca "
        r"marimba oboe ocarina organ panpipe sax trombone upright violin chime whistle bow loudspeaker "
        r"microphone"
    ),
    "bottle": (
        r"bottle perfume lotion hair.spray shaker jug lipstick sunscreen dispenser saltshaker pill syringe "
        r"nipple vase milk.can whiskey beaker hourglass"
    ),
    "cup": (
        r"cup mug pot bowl glass goblet coffeepot teapot bucket caldron \w*tub Dutch.oven pitcher teapot "
        r"barrel mortar measuring strainer tray wok frying Crock ashcan can thimble washbasin"
    ),
    "ball": r"\w*ball balloon bubble globe puck dumbbell barbell",
    "lamp": r"lamp candle torch spotlight beacon traffic.light jack-o.* umbrella lampshade",
    "tower": (
        r"tower obelisk stupa flagpole totem maypole pole pedestal drilling lighthouse minaret fountain "
        r"water.tower street.sign parking.meter telescope crane gas.pump"
    ),
    "building": (
        r"bakery barn boathouse \w*shop castle church cinema cliff.dwelling confectionery dome greenhouse "
        r"grocery home.theater library lumbermill monastery mosque palace patio planetarium prison restaurant "
        r"stage tent thatch triumphal vault yurt birdhouse apiary bell.cote megalith altar barn arch bridge "
        r"viaduct roof dam dock pier fence wall breakwater steel.arch.bridge"
    ),
    "chair": (
        r"chair bench couch cradle crib bassinet throne studio table desk four-poster rocking stretcher swing "
        r"seat balance parallel horizontal bannister barrow shopping.cart shopping"
    ),
    "screen": (
        r"screen monitor laptop television computer iPod notebook telephone phone oscilloscope web.site clock "
        r"odometer scoreboard cash.machine radio tape.player CD.player cassette camera projector comic.book "
        r"book.jacket crossword menu microwave modem joystick typewriter keyboard remote.control switch watch "
        r"compass barometer sundial scale slot"
    ),
    "tool": (
        r"hammer axe hatchet broom chainsaw chain.saw cleaver corkscrew opener drill drumstick file hook knife "
        r"iron ladle letter lens matchstick nail paddle paintbrush pen ballpoint pick plow plunger quill "
        r"racket rifle revolver rule screw screwdriver shovel spatula spindle spoon stethoscope swab tripod "
        r"crutch cannon guillotine missile rake binoculars scabbard hand.blower vacuum loupe lawn lighter reel "
        r"oil snorkel safety sunglass"
    ),
}

# Names that a word of _WORDS misleads.
_EXACT = {
    "maillot tank suit": "clothing", "car wheel": "wheel", "car mirror": "screen", "ski mask": "clothing",
    "shoe shop": "building", "can opener": "tool", "lens cap": "wheel", "chain saw": "tool", "chain mail": "clothing",
    "fountain pen": "tool", "paper towel": "box", "wall clock": "screen", "sunglasses": "tool", "killer whale": "shark",
}  # fmt: skip

# Words of a name that say a colour; the second colour may be said too.
_COLOUR_WORDS = {
    "tiger shark": "grey", "tiger beetle": "green", "killer whale": "black", "golden retriever": "buff",
    "gold": "yellow", "golden": "yellow", "great white": "white", "white": "white", "black": "black", "red": "red",
    "blue": "blue", "green": "green", "grey": "grey", "brown": "brown", "orange": "orange", "lemon": "yellow",
    "strawberry": "red", "banana": "yellow", "Granny Smith": "green", "school bus": "yellow", "fire engine": "red",
    "tench": "olive", "tiger": "orange", "zebra": "white", "lion": "buff", "ice bear": "white", "sulphur": "yellow",
    "cabbage": "green", "broccoli": "green", "cucumber": "green", "zucchini": "green", "bell pepper": "red",
    "pomegranate": "red", "fig": "purple", "pineapple": "yellow", "corn": "yellow", "daisy": "white",
    "rapeseed": "yellow", "flamingo": "pink", "hog": "pink", "piggy": "pink", "elephant": "grey", "koala": "grey",
    "hippopotamus": "grey", "ladybug": "red", "monarch": "orange", "bee": "yellow", "ant": "black", "mantis": "green",
    "grasshopper": "green", "tree frog": "green", "mamba": "green", "axolotl": "pink", "fox": "rufous",
    "ambulance": "white", "cab": "yellow", "tennis ball": "yellow", "basketball": "orange", "soccer ball": "white",
    "golf ball": "white", "baseball": "white", "egret": "white", "carrot": "orange", "jack-o": "orange",
    "volcano": "brown", "alp": "white", "tomato": "red", "panda": "white", "gorilla": "black", "orangutan": "rufous",
    "dalmatian": "white", "Samoyed": "white", "Rottweiler": "black", "chocolate": "brown", "espresso": "brown",
    "eggnog": "buff", "wine": "red", "lobster": "red", "crayfish": "red", "scorpion": "black", "cauliflower": "white",
    "artichoke": "green", "guacamole": "green", "butternut": "buff", "spaghetti squash": "yellow", "acorn": "brown",
    "hip": "red", "seashore": "buff", "sandbar": "buff", "valley": "green", "coral": "pink", "lakeside": "blue",
}  # fmt: skip
_SECOND = {
    "tiger shark": "white", "tiger beetle": "purple", "killer whale": "white", "golden retriever": "brown",
    "tiger": "black", "zebra": "black", "panda": "black", "dalmatian": "black", "soccer ball": "black", "bee": "black",
    "ladybug": "black", "monarch": "black", "school bus": "black", "ambulance": "red", "strawberry": "green",
    "red wine": "purple", "daisy": "green", "basketball": "black", "baseball": "red", "great white": "grey",
}  # fmt: skip


@cache
def label_things() -> tuple[Thing, ...]:
    """One thing per ImageNet label, in the order of the class index."""
    names = read_labels()
    counts: dict[str, int] = {}
    things: list[Thing] = []
    for index, name in enumerate(names):
        if index in LABEL_BIRDS:
            things.append(LABEL_BIRDS[index])
            continue
        silhouette = _silhouette(index, name)
        counts[silhouette] = counts.get(silhouette, 0) + 1
        things.append(_object(name, silhouette, counts[silhouette]))
    return tuple(things)


def _silhouette(index: int, name: str) -> str:
    found = _EXACT.get(name) or _RANGES[max(start for start in _RANGES if start <= index)]
    if found:
        return found
    for silhouette, words in _WORDS.items():
        if any(re.search(rf"(^|[ -]){word}s?($|[ -])", name) for word in words.split()):
            return silhouette
    return "box"


def _object(name: str, silhouette: str, number: int) -> Object:
    """The number-th class of its silhouette: colours that the name says, else spread over all colours.

    A hash would give some neighbours nearly the same two colours; a low-discrepancy sequence (Roberts' R-sequence),
    begun at a hash of the silhouette, keeps the classes of one silhouette apart.
    """
    start = hashlib.blake2b(silhouette.encode(), digest_size=28).digest()
    spread = [
        (int.from_bytes(start[4 * i : 4 * i + 4], "big") / 2**32 + number * _ROOT ** -(i + 1)) % 1 for i in range(7)
    ]
    colour, second = _colour(*spread[0:3]), _colour(*spread[3:6])
    said = _said(name, _COLOUR_WORDS)
    if said:
        colour = _near(COLOURS[said], spread[0:3])
    said = _said(name, _SECOND)
    if said:
        second = COLOURS[said]
    return Object(silhouette, colour, second, variant=spread[6])


_ROOT = 1.0907620530174  # positive root of x^8 = x + 1: the R-sequence of seven dimensions


def _said(name: str, words: dict[str, str]) -> str | None:
    for word, colour in words.items():
        if re.search(rf"(^|[ -]){re.escape(word)}($|[ s-])", name, re.IGNORECASE):
            return colour
    return None


def _colour(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    return colorsys.hsv_to_rgb(hue, 0.25 + 0.7 * saturation**0.7, 0.22 + 0.74 * value)


def _near(colour: tuple[float, float, float], spread: list[float]) -> tuple[float, float, float]:
    """A shade of a named colour, so that two classes of one colour are not one."""
    red, green, blue = (min(1.0, max(0.03, c + 0.14 * (s - 0.5))) for c, s in zip(colour, spread, strict=True))
    return red, green, blue
