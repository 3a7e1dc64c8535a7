#pragma once
// All kernels of the paper's contract, for any launcher (ops/kernels/launch_cpu.h).
#include "semiagcl/kernels/hard_negatives.inl"
#include "semiagcl/kernels/memory_bank.inl"
#include "semiagcl/kernels/patches.inl"

namespace sagcl::semiagcl {

template <class Launch>
class SharedPaperBackend : public PaperBackend {
 public:
  void patch_means(PatchMean f, const Extents& grid, const Tensor& x, const Tensor& c, Tensor& y) override {
    kernels::patch_means<Launch>(f, grid, x, c, y);
  }
  void attended_patches(const Extents& grid, const Tensor& x, const Tensor& c, const Tensor& picks, Tensor& y) override {
    kernels::attended_patches<Launch>(grid, x, c, picks, y);
  }
  void patch_weights(const Extents& grid, const Extents& cells, const Tensor& c, const Tensor& picks, Tensor& w) override {
    kernels::patch_weights<Launch>(grid, cells, c, picks, w);
  }
  void closest_keys(const KeyRing& ring, const Tensor& theta, const Tensor& score, Closest& closest) override {
    kernels::closest_keys<Launch>(ring, theta, score, closest);
  }
  void mixtures(MixWeight w, const engine::RandomKey& key, const KeyRing& ring, const Closest& closest, Tensor& y) override {
    kernels::mixtures<Launch>(w, key, ring, closest, y);
  }
  void contrast_weights(std::int64_t least, const Tensor& counted, const KeyRing& ring, Tensor& w) override {
    kernels::contrast_weights<Launch>(least, counted, ring, w);
  }
  void other_classes(const KeyRing& ring, Tensor& mask) override { kernels::other_classes<Launch>(ring, mask); }
  void store_keys(const Tensor& keys, const Tensor& picks, const Tensor& counted, const Tensor& affinity, const Tensor& gate,
                  KeyRing& ring) override {
    kernels::store_keys<Launch>(keys, picks, counted, affinity, gate, ring);
  }
  void move_threshold(double decay, bool from_first, double low, double high, const Tensor& median, const Tensor& gate,
                      Tensor& state) override {
    kernels::move_threshold<Launch>(decay, from_first, low, high, median, gate, state);
  }
};

}  // namespace sagcl::semiagcl
