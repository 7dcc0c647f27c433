"""Small networks of random weights, saved as they lie on the hub; nothing is downloaded."""

import pytest
import torch

transformers = pytest.importorskip("transformers", reason="transformers is not installed")

DAC = {
    "encoder_hidden_size": 2,
    "decoder_hidden_size": 16,
    "n_codebooks": 2,
    "codebook_size": 16,
    "codebook_dim": 2,
    "sampling_rate": 44100,
}


def save(network, folder, extractor=None):
    """Save a network whose weights are large enough for outputs to differ."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim > 1 and "weight" in name:
                fan = weight[0].numel()
                weight.copy_(torch.randn(weight.shape, generator=generator) / fan**0.5)
    network.save_pretrained(folder)
    if extractor is not None:
        extractor.save_pretrained(folder)
    return network.eval()


def dac(folder, seed=0, **changes):
    torch.manual_seed(seed)
    network = transformers.DacModel(transformers.DacConfig(**DAC | changes))
    with torch.no_grad():
        network.encoder.conv1.weight.mul_(1 + seed)
    return save(network, folder) if not seed else _saved(network, folder)


def _saved(network, folder):
    network.save_pretrained(folder)
    return network.eval()


def encodec(folder, **changes):
    settings = {"num_filters": 2, "hidden_size": 8, "num_lstm_layers": 1, "codebook_size": 16}
    settings |= {"codebook_dim": 8, "norm_type": "time_group_norm" if changes else "weight_norm"}
    config = transformers.EncodecConfig(**settings | changes)
    return _saved(transformers.EncodecModel(config), folder)


def wav2vec2(folder, kind="Wav2Vec2"):
    config = getattr(transformers, f"{kind}Config")(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8, 8),
        conv_stride=(5, 4),
        conv_kernel=(10, 8),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        vocab_size=8,
    )
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    return save(getattr(transformers, f"{kind}Model")(config), folder, extractor)


def ast(folder):
    config = transformers.ASTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_length=64,
        num_mel_bins=32,
    )
    extractor = transformers.ASTFeatureExtractor(max_length=64, num_mel_bins=32)
    return save(transformers.ASTModel(config), folder, extractor)


def clap(folder):
    audio = {
        "patch_embeds_hidden_size": 8,
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [1, 1, 1, 1],
        "hidden_size": 64,
    }
    text = {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 8,
        "vocab_size": 10,
    }
    config = transformers.ClapConfig(audio_config=audio, text_config=text, projection_dim=8)
    extractor = transformers.ClapFeatureExtractor(truncation="rand_trunc")
    return save(transformers.ClapModel(config), folder, extractor)


def whisper(folder):
    config = transformers.WhisperConfig(
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_mel_bins=16,
        vocab_size=16,
        max_source_positions=100,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    extractor = transformers.WhisperFeatureExtractor(feature_size=16, chunk_length=2)
    return save(transformers.WhisperModel(config), folder, extractor)
