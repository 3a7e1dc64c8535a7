#pragma once
#include <string>
#include <vector>

#include "datasets/volume.h"

namespace sagcl::tools {

/// A segmentation file of 3D Slicer (.seg.nrrd): a NRRD file whose labels are one layer, u8, gzipped, and whose header holds
/// every class's name, colour and value, and the box of voxels that the layer fills, in the key/value pairs of Slicer's
/// vtkMRMLSegmentationStorageNode. `mask` is u8 [D, H, W]; names[k - 1] is class k; DataError for a class without a name.
/// The place is that of `geometry`; where it says none, as ITK places a file without one: axes in
/// left-posterior-superior space from the origin, the spacing kept. Equal input gives equal bytes.
std::string encode_seg_nrrd(const datasets::Tensor& mask, const datasets::Geometry& geometry,
                            const std::vector<std::string>& names);

}  // namespace sagcl::tools
