#include "datasets/case_remarks.h"

#include <fmt/format.h>

#include <algorithm>

#include "datasets/sha256.h"

namespace sagcl::datasets {

namespace {

void remark_label(const std::string& file, const Label& label, Remarks& texts) {
  texts.insert(texts.end(), label.remarks.begin(), label.remarks.end());
  const std::uint8_t* const begin = label.classes.data<std::uint8_t>();
  std::int64_t annotated = 0, foreground = 0;
  for (const std::uint8_t* c = begin; c != begin + label.classes.size(); ++c)
    annotated += *c != not_annotated, foreground += *c != not_annotated && *c != 0;
  if (annotated == 0) texts.push_back(file + ": no voxel is annotated, so nothing is learnt from the label");
  else if (foreground == 0) texts.push_back(file + ": the label is all background; check that it belongs to this case");
}

}  // namespace

Remarks remarks_of(const Case& one, const Image& image, const Label* label) {
  const Tensor& voxels = image.voxels;
  Remarks remarks = image.remarks;
  const auto [low, high] = std::minmax_element(voxels.data<float>(), voxels.data<float>() + voxels.size());
  if (*low == *high)
    remarks.push_back(fmt::format("{}: every voxel is {}; leave the case out", one.images[0].string(), *low));
  if (label) remark_label(one.label.string(), *label, remarks);
  return remarks;
}

std::string digest_of(const Image& image) {
  constexpr std::int64_t most = 1 << 20;
  const std::int64_t step = image.voxels.size() / most + 1;
  std::string seen = engine::to_string(image.voxels.shape());
  for (std::int64_t i = 0; i < image.voxels.size(); i += step)
    seen.append(reinterpret_cast<const char*>(image.voxels.data<float>() + i), sizeof(float));
  return sha256(seen);
}

std::string TwinImages::add(const std::string& id, const std::string& digest) {
  const auto [twin, fresh] = cases_.emplace(digest, id);
  return fresh ? "" : fmt::format("has the same image as {}; remove one of them", twin->second);
}

}  // namespace sagcl::datasets
