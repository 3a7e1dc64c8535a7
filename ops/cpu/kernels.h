#pragma once
#include <cstdint>
#include <string>
#include <vector>

/// The inner loops of our own CPU kernels, as tables of functions: one table per instruction set. They work on plain
/// memory in one thread; everything about geometry, threads and scratch memory is decided by their callers. Products and
/// sums are contracted where the processor can, so the bits of a result belong to a table (ops/cpu/README.md).
namespace sagcl::ops::cpu {

/// A stretch of the reduction of GemmRows: `a` holds the first row's elements, `b` the packed weights they meet. While it
/// is computed the memory after `next` is fetched into the cache, one line per reduction step; `a` where nothing is wanted.
struct Run {
  const float *a, *b, *next;
};

/// c[r, j] (+)= bias[j] + Σ_runs Σ_k a[r * a_stride + k] b[j / lanes * block_stride + k * lanes + j % lanes]
/// for r < rows, j < columns, k < run_length. Rows are voxels, columns are output channels, and the runs point into the
/// activations themselves: convolution as a matrix product whose matrix is never built.
struct GemmRows {
  std::int64_t rows, columns, run_length;
  std::int64_t a_stride, c_stride, block_stride;
  const Run* runs;
  int run_count;
  const float* bias;  ///< padded to whole vectors; null for none
  bool accumulate;    ///< add to c (bias is then ignored)
  float* c;
};

/// A stretch of voxels of OuterSum: up to three vectors of x and the row of dy at its first voxel.
struct OuterLine {
  const float* a[3];
  const float* g;
  const float* next;  ///< fetched into the cache meanwhile, one line per voxel
  std::int64_t count;
};

/// d[j][i * d_stride + l] += Σ_lines Σ_t g[t * g_stride + i] a[j][t * a_stride + l]
/// for i < rows, j < vectors, l < lanes: the sum of outer products behind every weight gradient.
/// The sum over the lines is formed in registers from zero and added to d at the end.
struct OuterSum {
  const OuterLine* lines;
  std::int64_t line_count, a_stride, g_stride, rows;
  int vectors;
  float* d[3];
  std::int64_t d_stride;
};

/// to[j / lanes * block_stride + k * lanes + j % lanes] = from[j * column_stride + k * k_stride], j < columns, k < count;
/// lanes beyond the last column become zero. The weights as GemmRows reads them.
struct PackPanel {
  const float* from;
  float* to;
  std::int64_t columns, column_stride, count, k_stride, block_stride;
};

/// A row of Winograd tiles of one plane [height, width, pixel_stride] and the transforms of `channels` of its channels,
/// transformed[component * component_stride + tile * channels + c]. Channels are a multiple of `lanes`.
struct WinogradTiles {
  const float* image;  ///< x or dy; read with zeros outside
  float* result;       ///< y, written where inside
  std::int64_t height, width, pixel_stride, channels;
  std::int64_t row, column;  ///< first pixel of the first tile
  std::int64_t tiles;
  float* transformed;
  std::int64_t component_stride;
  const float* bias;  ///< null for none
};

/// `count` vectors of 3 x 3 filters, vector n of tap k at k * tap_stride + n * lanes, and their transforms, at
/// component * component_stride + n * lanes. For the gradient, `slices` partial sums lie slice_stride apart.
struct WinogradWeights {
  const float* from;
  float* to;
  std::int64_t count, tap_stride, component_stride, slices, slice_stride;
  std::int64_t row0, row1;  ///< rows of the transform to compute (not for the gradient); row0's go to component 0
};

/// The transforms of F(m x m, 3 x 3), see isa/winograd.inl.
struct WinogradKernels {
  int m;
  void (*input)(const WinogradTiles&);
  void (*gradient)(const WinogradTiles&);
  void (*output)(const WinogradTiles&);
  void (*weights)(const WinogradWeights&);
  void (*weight_gradient)(const WinogradWeights&);
};

struct Kernels {
  const char* name;
  int lanes;
  void (*gemm_rows)(const GemmRows&);
  void (*dot_rows)(
      const GemmRows&);  ///< up to 4 columns, run_length a multiple of lanes, column j's weights at b + j * block_stride
  void (*outer_sum)(const OuterSum&);
  void (*pack_panel)(const PackPanel&);
  WinogradKernels winograd2, winograd4;
};

/// The table in use: the best instruction set that this processor has, unless use_kernels() or the environment variable
/// SAGCL_ISA (avx512, avx2, baseline; read once) chose another; UsageError then as of use_kernels().
const Kernels& kernels();

/// The same, but avx2 instead of avx512 for up to 8 columns, which would leave half of each vector empty. gemm_rows makes
/// the same bits of both.
const Kernels& kernels_for(std::int64_t columns);

/// The names of the tables that this processor can run, best first: "avx512", "avx2", "baseline".
std::vector<std::string> available_kernels();

/// Chooses a table by name, for tests and measurements; UsageError when this processor or this build lacks it.
void use_kernels(const std::string& name);

}  // namespace sagcl::ops::cpu
