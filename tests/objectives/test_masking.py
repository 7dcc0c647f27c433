import pytest
import torch
from model_outputs import FACETS, FRAMEWISE, outputs

from disentone.errors import RecipeError
from disentone.objectives import CrossView, Masking, Objective, Reconstruction
from disentone.objectives.masking import masked


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8])
def test_a_share_of_one_facet_is_zero_and_the_rest_as_it_was(share):
    torch.manual_seed(0)
    code = torch.randn(200, 2, 10, 5)
    kept = masked(code, FACETS, "private", share=share)
    torch.testing.assert_close(kept[..., 3:], code[..., 3:])
    gone = kept[..., :3] == 0
    assert float(gone.float().mean()) == pytest.approx(share, abs=0.02)
    torch.testing.assert_close(kept[..., :3][~gone], code[..., :3][~gone])


def test_nothing_and_everything_can_be_masked():
    code = torch.randn(4, 5)
    torch.testing.assert_close(masked(code, FACETS, "shared", share=0.0), code)
    assert masked(code, FACETS, "shared", share=1.0)[:, 3:].abs().max() == 0


@pytest.mark.parametrize("model", [{}, FRAMEWISE])
def test_masking_is_reconstruction_from_what_is_left(model):
    out = outputs(training=True, **model)
    value = Masking(share=1.0)(out)["value"]
    code = out.code.clone()
    code[..., :3] = 0
    error = (out.model.decode(code) - out.x).square()
    loop = sum(error[:, view].mean() for view in range(2))
    torch.testing.assert_close(value, loop)


@pytest.mark.parametrize("model", [{}, FRAMEWISE])
def test_nothing_is_masked_in_validation(model):
    out = outputs(**model)
    plain = Reconstruction(per="entry")(out)["value"]
    torch.testing.assert_close(Masking(share=0.8)(out)["value"], plain)


@pytest.mark.parametrize("model", [{}, FRAMEWISE])
def test_cross_view_decodes_own_private_with_the_others_shared(model):
    out = outputs(**model)
    value = CrossView()(out)["value"]
    loop = torch.zeros(())
    for view, other in ((0, 1), (1, 0)):
        code = torch.cat([out.own[:, view, ..., :3], out.own[:, other, ..., 3:]], -1)
        error = (out.model.decode(code.unsqueeze(1)) - out.x[:, view : view + 1]).square()
        loop = loop + error.mean()
    torch.testing.assert_close(value, loop)


def test_reconstruction_per_entry_is_eq_1_of_latent():
    out = outputs()
    value = Reconstruction(per="entry")(out)["value"]
    loop = 0.0
    for view in range(2):
        for clip in range(5):
            difference = out.x[clip, view] - out.reconstruction[clip, view]
            loop += float(difference.square().mean().detach()) / 5
    assert float(value) == pytest.approx(loop, rel=1e-5)


def test_a_facet_that_does_not_exist_is_refused():
    with pytest.raises(RecipeError, match="'privat'"):
        Objective([Masking(facet="privat")], FACETS)


def test_only_terms_that_look_at_the_reconstruction_pay_for_it():
    assert Objective([Reconstruction()], FACETS).decodes
    assert not Objective([Masking(), CrossView()], FACETS).decodes
