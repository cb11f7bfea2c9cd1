from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException, HydraException
from omegaconf import DictConfig

from experiments.audit import switches
from experiments.config import register, run_settings
from tests.conftest import ROOT
from zeroshot.runs.run import run_path
from zeroshot.worlds.parts import default_run, departures

CONF = ROOT / "conf"
register()


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def composed_with_hydra(*overrides: str) -> DictConfig:
    """What a launcher is given: the configuration of a sweep with Hydra's own part."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=["hydra.job.name=run", *overrides], return_hydra_config=True)


def choices() -> list[str]:
    """group=choice for every YAML file of a group that a user can name."""
    groups = ("world", "generator", "clip", "data", "features", "protocol", "search", "experiment")
    return [f"{group}={path.stem}" for group in groups for path in sorted((CONF / group).glob("*.yaml"))]


@pytest.mark.parametrize("override", choices())
@pytest.mark.parametrize("generator", ["sagan", "biggan"])
def test_every_config_composes_into_settings(override: str, generator: str) -> None:
    overrides = [override] if override.startswith("generator=") else [override, f"generator={generator}"]
    if override == "generator=own":
        assert run_settings(composed(override, "generator.architecture=my_gan:build")).generator.is_own
        return
    assert run_settings(composed(*overrides)).generator.weights.endswith((".safetensors", ".pth", ".bin"))


@pytest.mark.parametrize("protocol", ["paper", "released"])
@pytest.mark.parametrize("world", ["miniature", "paper"])
@pytest.mark.parametrize("generator", ["sagan", "biggan"])
def test_hydras_defaults_are_the_librarys(generator: str, world: str, protocol: str) -> None:
    settings = run_settings(composed(f"generator={generator}", f"world={world}", f"protocol={protocol}"))
    assert settings == default_run(world, generator, protocol)
    assert departures(settings) == {}


def test_the_released_protocol_says_the_same_in_yaml_and_in_the_library() -> None:
    lines = (CONF / "protocol" / "released.yaml").read_text(encoding="utf-8")
    stated = {key: value for key, value in yaml.safe_load(lines).items() if key != "defaults"}
    assert stated == switches()


def test_another_part_alone_leaves_the_world_as_it_is() -> None:
    settings = run_settings(composed("world=paper", "clip.model=ViT-L-14", "clip.weights=openai"))
    assert settings.clip.model == "ViT-L-14" and settings.data.source == "ccub" and settings.captions == 2778
    assert set(departures(settings)) == {"clip.model", "clip.weights"}


def test_every_experiment_file_begins_with_its_command() -> None:
    for path in (CONF / "experiment").glob("*.yaml"):
        lines = path.read_text().splitlines()
        assert lines[0] == "# @package _global_"
        assert lines[1].startswith(("# make ", "# python -m ")) and path.stem in lines[1]


def test_a_run_with_other_settings_has_another_folder() -> None:
    paths = {
        run_path(Path("outputs"), run_settings(composed(*overrides)))
        for overrides in (
            [],
            ["b_max=7"],
            ["captions=9"],
            ["generator.truncation=0.4"],
            ["clip.weights=x"],
            ["batch_size=8"],
        )
    }
    assert len(paths) == 6
    assert Path("outputs/miniature/paper/runs/sagan/k=0010/seed=42") in paths


def test_device_and_output_are_no_part_of_a_run() -> None:
    assert run_settings(composed("device=cpu", "output=elsewhere", "shard=2/8")) == run_settings(composed())


@pytest.mark.parametrize(
    "override", ["kk=3", "k=many", "generator=stylegan", "world=mars", "generator.depth=3", "clip.model=[1]"]
)
def test_unknown_keys_and_wrong_types_are_refused(override: str) -> None:
    with pytest.raises((ConfigCompositionException, HydraException)):
        composed(override)
