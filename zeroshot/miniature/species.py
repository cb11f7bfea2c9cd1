"""The miniature's bird species: names and numbers of CUB-200-2011, plumage as bird books describe the adult male."""

from __future__ import annotations

import dataclasses

from zeroshot.miniature.attributes import Bird

PLUMAGE = ("crown", "face", "throat", "breast", "belly", "back", "wing", "tail")


def _bird(
    plumage: str,
    bill: str = "short",
    bill_colour: str = "black",
    legs: str = "black",
    mark: str = "white",
    *,
    bars: bool = False,
    breast: str = "plain",
    head: str = "plain",
    size: str = "small",
    build: str = "perching",
) -> Bird:
    """A bird from eight colours in the order of PLUMAGE."""
    colours = dict(zip(PLUMAGE, plumage.split(), strict=True))
    rest = Bird(
        build=build,
        size=size,
        bill=bill,
        bill_colour=bill_colour,
        legs=legs,
        mark=mark,
        wing_bars=bars,
        breast_pattern=breast,
        head_pattern=head,
    )
    return dataclasses.replace(rest, **colours)  # type: ignore[arg-type]


# fmt: off
_PERCHING = {
    "010.Red_winged_Blackbird": _bird(
        "black black black black black black black black", "dagger", mark="red", bars=True, size="medium"),
    "012.Yellow_headed_Blackbird": _bird(
        "yellow yellow yellow yellow black black black black", "dagger", bars=True, size="medium"),
    "013.Bobolink": _bird(
        "buff black black black black white black black", "cone"),
    "014.Indigo_Bunting": _bird(
        "blue blue blue blue blue blue blue blue", "cone", "grey"),
    "015.Lazuli_Bunting": _bird(
        "blue blue blue orange white blue brown blue", "cone", "grey", "grey", bars=True),
    "016.Painted_Bunting": _bird(
        "blue blue red red red green green rufous", "cone", "grey", "grey"),
    "017.Cardinal": _bird(
        "red black black red red red red red", "cone", "orange", "brown", "red", head="crest", size="medium"),
    "019.Gray_Catbird": _bird(
        "black grey grey grey grey grey grey black", size="medium"),
    "020.Yellow_breasted_Chat": _bird(
        "olive grey yellow yellow white olive olive olive", head="eye_ring", size="medium"),
    "021.Eastern_Towhee": _bird(
        "black black black rufous white black black black", "cone", "black", "pink", bars=True, size="medium"),
    "028.Brown_Creeper": _bird(
        "brown brown white white white brown brown rufous",
        "curved", "pink", "brown", "buff", head="eyebrow", bars=True, size="tiny"),
    "033.Yellow_billed_Cuckoo": _bird(
        "brown brown white white white brown rufous black", "curved", "yellow", "grey", size="large"),
    "035.Purple_Finch": _bird(
        "red pink pink pink white brown brown brown", "cone", "grey", "brown", "brown", breast="streaked"),
    "038.Great_Crested_Flycatcher": _bird(
        "brown grey grey grey yellow olive brown rufous", "long", "black", "black", "brown", head="crest"),
    "041.Scissor_tailed_Flycatcher": _bird(
        "grey grey white white pink grey black black", "short"),
    "042.Vermilion_Flycatcher": _bird(
        "red red red red red brown brown brown", "short", mark="brown", head="mask"),
    "047.American_Goldfinch": _bird(
        "black yellow yellow yellow yellow yellow black black", "cone", "orange", "pink", bars=True),
    "054.Blue_Grosbeak": _bird(
        "blue blue blue blue blue blue blue blue", "cone", "grey", "black", "rufous", bars=True),
    "055.Evening_Grosbeak": _bird(
        "brown brown brown olive yellow brown black black", "cone", "yellow", "pink", "yellow", head="eyebrow"),
    "056.Pine_Grosbeak": _bird(
        "pink pink pink pink grey pink grey grey", "cone", "black", "black", bars=True, size="medium"),
    "057.Rose_breasted_Grosbeak": _bird(
        "black black black red white black black black", "cone", "pink", "grey", bars=True),
    "076.Dark_eyed_Junco": _bird(
        "black black black grey white grey grey black", "cone", "pink", "pink"),
    "077.Tropical_Kingbird": _bird(
        "grey grey white yellow yellow olive brown brown", "long", mark="black", head="mask", size="medium"),
    "079.Belted_Kingfisher": _bird(
        "blue blue white blue white blue blue blue", "dagger", "black", "red", "blue", head="crest", size="medium"),
    "080.Green_Kingfisher": _bird(
        "green green white rufous white green green green", "dagger", mark="white", bars=True),
    "083.White_breasted_Kingfisher": _bird(
        "rufous rufous white white rufous blue blue blue", "dagger", "red", "red", size="medium"),
    "088.Western_Meadowlark": _bird(
        "brown white yellow yellow yellow brown brown brown",
        "long", "grey", "pink", "black", breast="spotted", size="medium"),
    "094.White_breasted_Nuthatch": _bird(
        "black white white white white grey grey black", "long", "grey", "black"),
    "095.Baltimore_Oriole": _bird(
        "black black black orange orange black black orange", "dagger", "grey", "grey", bars=True, size="medium"),
    "097.Orchard_Oriole": _bird(
        "black black black rufous rufous black black black", "dagger", "black", "grey", bars=True),
    "098.Scott_Oriole": _bird(
        "black black black black yellow black black yellow", "dagger", "grey", "grey", bars=True, size="medium"),
    "099.Ovenbird": _bird(
        "orange olive white white white olive olive olive", "short", "pink", "pink", "black", breast="streaked"),
    "109.American_Redstart": _bird(
        "black black black orange white black black orange", "short", mark="orange", bars=True, size="tiny"),
    "111.Loggerhead_Shrike": _bird(
        "grey white white white white grey black black", "hooked", mark="black", head="mask", size="medium"),
    "114.Black_throated_Sparrow": _bird(
        "grey grey black white white grey brown black", "cone", "grey", "grey", head="eyebrow"),
    "116.Chipping_Sparrow": _bird(
        "rufous grey white grey grey brown brown brown", "cone", "black", "pink", "white", head="eyebrow"),
    "118.House_Sparrow": _bird(
        "grey rufous black grey grey brown rufous brown", "cone", "black", "brown", bars=True),
    "120.Fox_Sparrow": _bird(
        "rufous grey white white white rufous rufous rufous", "cone", "grey", "brown", "rufous", breast="streaked"),
    "129.Song_Sparrow": _bird(
        "brown grey white white white brown brown brown", "cone", "grey", "pink", "brown", breast="streaked"),
    "132.White_crowned_Sparrow": _bird(
        "white grey grey grey grey brown brown brown", "cone", "orange", "brown", "black", head="eyebrow"),
    "133.White_throated_Sparrow": _bird(
        "black grey white grey white brown brown brown", "cone", "grey", "pink", "yellow", head="eyebrow"),
    "134.Cape_Glossy_Starling": _bird(
        "iridescent blue iridescent blue purple iridescent iridescent blue", "long", size="medium"),
    "139.Scarlet_Tanager": _bird(
        "red red red red red red black black", "cone", "grey", "grey"),
    "140.Summer_Tanager": _bird(
        "red red red red red red red red", "cone", "buff", "grey", size="medium"),
    "148.Green_tailed_Towhee": _bird(
        "rufous grey white grey grey olive green olive", "cone", "grey", "brown", size="medium"),
    "149.Brown_Thrasher": _bird(
        "rufous brown buff buff white rufous rufous rufous",
        "curved", "black", "brown", "brown", breast="streaked", size="medium"),
    "151.Black_capped_Vireo": _bird(
        "black black white white white olive black black", "short", bars=True, head="eye_ring", size="tiny"),
    "152.Blue_headed_Vireo": _bird(
        "grey grey white white white olive black black", "hooked", "grey", "grey", bars=True, head="eye_ring"),
    "153.Philadelphia_Vireo": _bird(
        "grey white yellow yellow yellow olive olive olive", "short", "grey", "grey", "white", head="eyebrow"),
    "157.Yellow_throated_Vireo": _bird(
        "olive yellow yellow yellow white olive grey grey", "short", "grey", "grey", bars=True),
    "158.Bay_breasted_Warbler": _bird(
        "rufous black rufous rufous buff grey grey black", "short", bars=True),
    "159.Black_and_white_Warbler": _bird(
        "black white black white white black black black", "long", "black", "black", "black", breast="streaked"),
    "160.Black_throated_Blue_Warbler": _bird(
        "blue black black white white blue blue black", "short", mark="white", size="tiny"),
    "161.Blue_winged_Warbler": _bird(
        "yellow yellow yellow yellow yellow olive grey grey", "short", mark="black", head="mask", size="tiny"),
    "162.Canada_Warbler": _bird(
        "grey grey yellow yellow yellow grey grey grey", "short", "grey", "pink", "black", breast="streaked"),
    "164.Cerulean_Warbler": _bird(
        "blue blue white white white blue blue blue", "short", mark="blue", breast="streaked", size="tiny"),
    "165.Chestnut_sided_Warbler": _bird(
        "yellow white white rufous white olive black black", "short", mark="black", head="mask"),
    "167.Hooded_Warbler": _bird(
        "black yellow black yellow yellow olive olive olive", "short", "black", "pink"),
    "169.Magnolia_Warbler": _bird(
        "grey black yellow yellow yellow black black black", "short", mark="black", breast="streaked"),
    "170.Mourning_Warbler": _bird(
        "grey grey grey black yellow olive olive olive", "short", "grey", "pink"),
    "177.Prothonotary_Warbler": _bird(
        "orange yellow yellow yellow yellow olive grey grey", "long", "black", "grey"),
    "182.Yellow_Warbler": _bird(
        "yellow yellow yellow yellow yellow olive yellow olive", "short", "grey", "pink", "rufous", breast="streaked"),
    "186.Cedar_Waxwing": _bird(
        "buff buff buff buff yellow brown grey yellow", "short", mark="black", head="mask"),
    "195.Carolina_Wren": _bird(
        "rufous rufous white buff buff rufous rufous rufous", "curved", "grey", "pink", head="eyebrow", size="tiny"),
    "200.Common_Yellowthroat": _bird(
        "olive olive yellow yellow buff olive olive olive", "short", "black", "pink", "black", head="mask"),
}
_OTHERS = {
    "002.Laysan_Albatross": _bird(
        "white white white white white grey grey black", "hooked", "pink", "pink", size="huge", build="gull"),
    "004.Groove_billed_Ani": _bird(
        "black black black black black black black black", "massive", size="medium", build="crow"),
    "005.Crested_Auklet": _bird(
        "grey grey grey grey grey black black black", "short", "orange", "grey", "black", head="crest", build="duck"),
    "036.Northern_Flicker": _bird(
        "grey buff buff buff white brown brown black",
        "dagger", "grey", "grey", "black", breast="spotted", size="medium", build="woodpecker"),
    "044.Frigatebird": _bird(
        "black black red black black black black black", "hooked", "grey", "red", size="huge", build="gull"),
    "050.Eared_Grebe": _bird(
        "black black black rufous rufous black black brown",
        "dagger", "black", "grey", "yellow", head="eyebrow", size="medium", build="duck"),
    "053.Western_Grebe": _bird(
        "black white white white white grey grey grey", "dagger", "yellow", "olive", size="large", build="duck"),
    "061.Heermann_Gull": _bird(
        "white white grey grey grey grey black black", "hooked", "red", "black", size="large", build="gull"),
    "068.Ruby_throated_Hummingbird": _bird(
        "green green red white white green grey green", "needle", size="tiny", build="hummingbird"),
    "069.Rufous_Hummingbird": _bird(
        "rufous rufous red white rufous rufous green rufous", "needle", size="tiny", build="hummingbird"),
    "070.Green_Violetear": _bird(
        "green purple green blue green green green iridescent", "curved", size="tiny", build="hummingbird"),
    "073.Blue_Jay": _bird(
        "blue white white grey white blue blue blue",
        "long", "black", "black", "blue", head="crest", bars=True, size="medium", build="crow"),
    "075.Green_Jay": _bird(
        "blue blue black green yellow green green green", "long", size="medium", build="crow"),
    "106.Horned_Puffin": _bird(
        "black white black white white black black black",
        "massive", "orange", "orange", size="medium", build="penguin"),
    "136.Barn_Swallow": _bird(
        "blue blue rufous buff buff blue blue black", "short", build="swallow"),
    "138.Tree_Swallow": _bird(
        "iridescent iridescent white white white iridescent grey grey", "short", build="swallow"),
    "145.Elegant_Tern": _bird(
        "black white white white white grey grey white",
        "dagger", "orange", "black", "black", head="crest", size="medium", build="gull"),
    "188.Pileated_Woodpecker": _bird(
        "red white white black black black black black",
        "dagger", "grey", "grey", "red", head="crest", size="large", build="woodpecker"),
    "191.Red_headed_Woodpecker": _bird(
        "red red red white white black black black",
        "dagger", "grey", "grey", bars=True, size="medium", build="woodpecker"),
}
# fmt: on

SPECIES: dict[str, Bird] = dict(sorted((_PERCHING | _OTHERS).items()))
"""CUB's class name ("153.Philadelphia_Vireo") -> plumage of a typical adult."""

SHARED_WITH_LABELS: tuple[str, ...] = (
    "002.Laysan_Albatross",  # albatross
    "014.Indigo_Bunting",
    "047.American_Goldfinch",  # goldfinch
    "068.Ruby_throated_Hummingbird",  # hummingbird
    "073.Blue_Jay",  # jay
    "076.Dark_eyed_Junco",  # junco
)
"""CUB's species that (nearly) stand among the 59 bird labels of ImageNet too; all others do not."""
