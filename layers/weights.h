#pragma once
#include <filesystem>

#include "engine/files/safetensors.h"
#include "layers/module.h"

namespace sagcl::layers {

/// Adds every parameter and buffer of `m` to `content` under prefix + its dotted name.
void store(Module& m, const std::string& prefix, engine::TensorFile& content);

/// Fills `m` from tensors named prefix + dotted name. Lists all that is missing, has another shape or dtype in one
/// DataError; tensors with the prefix that `m` does not have are listed too. `source` names the file in messages.
void load(Module& m, const std::string& prefix, const engine::TensorFile& content, const std::string& source);

/// Reads weights in PyTorch's order (convolutions [O, C, Kd, Kh, Kw] or [O, C, Kh, Kw], linear [O, I]) from a safetensors
/// file. Names may be ours with PyTorch's endings ("block1.0.conv.weight", "block1.0.bn.running_mean") or those of the
/// V-Net of UA-MT ("block_one.conv.0.weight") and of the U-Net of SSL4MIS ("encoder.in_conv.conv_conv.0.weight").
void load_pytorch(Module& m, const std::filesystem::path& file);

/// The same weights under the community's PyTorch names and order, for load_state_dict(strict=True) after
/// safetensors.load_file.
engine::TensorFile to_pytorch(Module& m);

/// A copy of one of them on the CPU, in PyTorch's order: a convolution's [O, k, C] is [O, C, k], without depth where `flat`.
Tensor in_pytorch_order(const Tensor& part, bool flat);

}  // namespace sagcl::layers
