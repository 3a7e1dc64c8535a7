#pragma once
#include <map>
#include <string>

#include "tools/evaluate/trained_network.h"

namespace sagcl::tools {

/// What somebody must know who runs the network elsewhere; values that are lists are JSON:
///
///   classes            names, background first             channels          of an image
///   network, width     vnet or unet, first stage's         weights           student or teacher, after `step` steps of
///   method, step       what trained it                     sagcl             the program's version
///   normalise          the setting, and normalise_rule     the same as a formula
///   resize             side in pixels before the network, 0 for none; resize_rule: how
///   halvings           of the four steps down how many halve D, H, W
///   multiple_of        what extents must be divisible by: "16", or of each axis "4x16x16"
///   patch              [D, H, W] of a window               stride            between windows; []: the whole image at once
///   blending           mean or gaussian, of windows        mirror            axes whose mirror images are averaged over
///   largest_component  true: of each class only the largest connected component counts afterwards
std::string multiple_of(const layers::Segmenter& network);
std::map<std::string, std::string> network_notes(const TrainedNetwork& trained);

}  // namespace sagcl::tools
