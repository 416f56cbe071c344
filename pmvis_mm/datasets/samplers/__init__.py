"""Samplers; importing registers them."""

from .joint_batch_sampler import JointBatchSampler

__all__ = ['JointBatchSampler']
