"""Random masks to compare with have the values of the mask in other places."""

import torch
from conftest import small_set, ten_classes

import audiointerp as ai
from audiointerp.interpretation.baselines import BASELINES, random_field, rearranged
from audiointerp.interpretation.masks import top
from audiointerp.metrics import METRICS
from audiointerp.predict import score


def test_a_baseline_has_the_values_of_its_mask_elsewhere():
    db = torch.randn(1, 1, 64, 101)
    masks = torch.cat(
        [
            torch.rand(2, 1, 64, 101),
            (torch.rand(1, 1, 64, 101) < 0.3).float(),
            torch.zeros(1, 1, 64, 101),
        ]
    )
    for kind in BASELINES:
        field = random_field(db, kind)
        assert field.equal(random_field(db, kind))
        assert not field.equal(random_field(db, kind, seed=1))
        assert not field.equal(random_field(db + 1, kind))
        moved = rearranged(masks, [field])
        assert moved.flatten(1).sort().values.equal(masks.flatten(1).sort().values)
        assert not moved[0].equal(masks[0])
        assert field[moved[2:3] == 1].min() >= field[moved[2:3] == 0].max()
        for name in ("SPS", "COMP", "AREA"):
            scored = [
                METRICS[name].compute(type("Scored", (), {"mask": mask})) for mask in (masks, moved)
            ]
            assert torch.allclose(*scored, equal_nan=True)


def test_smooth_fields_are_smooth_and_cover_any_grid():
    for shape in ((1, 1, 64, 501), (1, 1, 257, 313), (1, 1, 2, 2), (1, 1, 17, 1)):
        assert random_field(torch.zeros(shape), "smooth").shape == shape

    def roughness(kind):
        field = random_field(torch.zeros(1, 1, 64, 501), kind)
        return (field.diff(dim=-1).std() / field.std()).item()

    assert roughness("smooth") < 0.25 < 1.2 < roughness("pixelwise")
    kept = torch.stack(
        [
            top(random_field(torch.full((1, 1, 64, 64), float(seed)), "smooth"), 0.3)[0, 0]
            for seed in range(300)
        ]
    )
    # No place is favoured; the standard error is 0.026.
    assert kept.mean(0).std() < 0.05


def test_random_attributions_are_no_better_than_their_baseline():
    """Both are draws of the same kind: the mean difference is within three standard errors of 0."""
    rows = score(ten_classes(), small_set(count=10), ["random"], ["topK_30"], progress=False)
    difference = rows["FF"] - rows["FF_pixelwise"]
    assert difference.std() > 0
    assert abs(difference.mean()) < 3 * difference.std() / len(rows) ** 0.5
    db = torch.randn(1, 1, 64, 101)
    drawn = ai.Random(ten_classes().network)(db).values
    assert not any(drawn.equal(random_field(db, kind)) for kind in BASELINES)
