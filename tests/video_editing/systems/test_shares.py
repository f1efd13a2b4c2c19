"""Systems at a share of their published iterations: all loops alike, within a number of passes, and that number is true."""

import pytest

from dynode.errors import UserError
from dynode.video_editing.registry import scaled, system_class
from dynode.video_editing.systems import shares

FRAMES = {"igci": (8, 8), "stit": (8, 8), "tcsve": (8, 8), "dynode+tcsve": (3, 8)}


def counts_of(name, share):
    return [shares.value_of(share.system.chosen, each) for each in shares.COUNTS[name]]


@pytest.mark.parametrize("name", FRAMES)
def test_the_whole_share_has_the_published_counts_and_half_of_it_half_of_them(name):
    published = scaled(system_class(name), "published")
    whole, half = (shares.at_share(name, share, FRAMES[name]) for share in (1.0, 0.5))
    assert counts_of(name, whole) == [shares.value_of(published, each) for each in shares.COUNTS[name]]
    assert counts_of(name, half) == [max(1, round(0.5 * each)) for each in counts_of(name, whole)]
    assert half.published == whole.published >= whole.passes > half.passes


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("budget", [192, 2000])
def test_a_budget_is_kept_to_and_used(name, budget):
    share = shares.within(name, budget, FRAMES[name])
    more = shares.at_share(name, 1.1 * share.share + 0.01, FRAMES[name])
    assert 0.5 * budget < share.passes <= budget or share.share == 1.0
    assert more.passes > budget or share.share == 1.0


def test_what_cannot_be_shortened_further_has_one_of_each():
    assert counts_of("tcsve", shares.within("tcsve", 1, (8, 8))) == [1, 1, 1, 1]


def test_changes_are_of_the_systems_own_settings():
    changed = shares.at_share("stit", 0.5, (8, 8), {"tuning.lr": 1e-4})
    assert changed.system.chosen.tuning.lr == 1e-4
    with pytest.raises(UserError, match="There is no setting 'lr'"):
        shares.at_share("stit", 0.5, (8, 8), {"lr": 1e-4})
