#pragma once
#include "tools/evaluate/trained_network.h"
#include "tools/export/onnx_model.h"

namespace sagcl::tools {

/// The network as ONNX, from what it does: its forward runs once on a small image under a tape, and the operations that the
/// tape's observer sees become nodes, in their order. Axes and weights are turned to ONNX's order.
///
/// input "image"          f32 [batch, channels, height, width], of a volume [batch, channels, depth, height, width]
/// output "probabilities" f32 [batch, classes, height, width] or [batch, classes, depth, height, width]: softmax over the
///                        classes, as sagcl-predict averages and writes it
///
/// Batch and extents are free; extents are divisible by the network's stride(). UsageError for an operation that has no
/// form here yet.
OnnxModel onnx_model(TrainedNetwork& trained);

}  // namespace sagcl::tools
