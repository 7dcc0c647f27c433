"""Encoders, decoders, the fusion of views, and the multi-view model."""

from disentone.models.multiview import Groups, ModelConfig, MultiView, Outputs

__all__ = ["Groups", "ModelConfig", "MultiView", "Outputs"]
