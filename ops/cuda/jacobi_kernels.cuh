#pragma once
// Nuclear norms of many small matrices in one launch, by the singular value decomposition in double: one block per matrix,
// nothing is read by the host.
//
// With B = A, or Aᵀ where A is wide, and its factorisation B P = Q R with column pivoting, the columns of L = P Rᵀ are
// turned in pairs until all are orthogonal (Hestenes 1958): L W = V S. Then B = (Q W) S Vᵀ: the turned columns of Q are U,
// and those of L are V times the singular values. Columns of L converge in 6 to 9 sweeps where those of a smooth affinity
// matrix take more than 20 (Drmač & Veselić 2008). In a round every column is in one pair and all pairs are turned at the
// same time; the rounds of a sweep are those of a tournament, in which each column meets each other one once.
#include <cmath>
#include <cstdint>

namespace sagcl::ops::cuda {

constexpr int jacobi_threads = 256;
constexpr int jacobi_columns = 64;  // 32 pairs of columns with 8 threads each
constexpr int jacobi_sweeps = 30;

/// A is [n, m], B [rows, columns] with rows >= columns. Each pair of columns has `lanes` threads, each column half of them.
struct JacobiPlan {
  int rows, columns, pairs, lanes;
  bool wide;

  /// What the kernel takes: few columns, and no more rows than one block of threads should turn (2 MiB of work at 64).
  static bool fits(std::int64_t n, std::int64_t m) { return (n < m ? n : m) <= jacobi_columns && (n > m ? n : m) <= 4096; }
  JacobiPlan(std::int64_t n, std::int64_t m)
      : rows(int(n > m ? n : m)), columns(int(n < m ? n : m)), pairs((columns + 1) / 2), lanes(8), wide(n < m) {
    while (lanes < 32 && 2 * lanes * pairs <= jacobi_threads && 2 * lanes <= rows) lanes *= 2;
  }
  __host__ __device__ int size() const { return rows * columns; }
  __host__ __device__ int row(int i) const { return wide ? i % rows : i / columns; }  ///< of B, for element i of A
  __host__ __device__ int column(int i) const { return wide ? i / rows : i % columns; }
  __host__ __device__ int length() const { return columns + rows; }  ///< of a column of L with the column of Q below it
  __host__ __device__ std::int64_t work() const { return std::int64_t(length()) * columns; }  ///< doubles for one matrix
};

/// What the threads of a block share.
struct JacobiShared {
  double part[3][jacobi_threads], sum[jacobi_columns], scale[jacobi_columns];
  int place[jacobi_columns];
  bool turned[jacobi_columns / 2];
};

/// shared.sum[c] = Σ of what the threads of column c hold as `part`, for c in [begin, end).
__device__ inline void join_columns(const JacobiPlan& p, double part, int begin, int end, JacobiShared& shared) {
  const int t = int(threadIdx.x), lanes = p.lanes / 2, c = t / lanes;
  shared.part[0][t] = part;
  __syncthreads();
  if (t % lanes == 0 && c >= begin && c < end) {
    double sum = 0;
    for (int k = t; k < t + lanes; ++k) sum += shared.part[0][k];
    shared.sum[c] = sum;
  }
  __syncthreads();
}

/// From B in place of Q: columns Q and L of B P = Q R, L = P Rᵀ, by Gram and Schmidt with the longest column first and each
/// column cleared twice of those before it. Where only rounding is left, columns are 0.
__device__ inline void pivoted_columns(const JacobiPlan& p, double* work, JacobiShared& shared) {
  const int t = int(threadIdx.x), length = p.length(), lanes = p.lanes / 2, mine = t / lanes, lane = t % lanes;
  double* const q = work + p.columns;
  const auto product = [&](const double* x, const double* y) {
    double sum = 0;
    for (int r = lane; r < p.rows; r += lanes) sum += x[r] * y[r];
    return sum;
  };
  if (t < p.columns) shared.place[t] = t;
  double part = mine < p.columns ? product(q + mine * length, q + mine * length) : 0, floor = 0;
  int rank = 0;
  for (; rank < p.columns; ++rank) {
    join_columns(p, part, rank, p.columns, shared);
    int longest = rank;
    for (int c = rank + 1; c < p.columns; ++c)
      if (shared.sum[c] > shared.sum[longest]) longest = c;
    if (rank == 0) floor = 1e-32 * shared.sum[longest];
    if (!(shared.sum[longest] > floor)) break;
    double *const x = q + rank * length, *const from = q + longest * length;
    if (longest != rank) {
      for (int r = t; r < p.rows; r += jacobi_threads) {
        const double v = x[r];
        x[r] = from[r], from[r] = v;
      }
      if (t == 0) {
        const int v = shared.place[rank];
        shared.place[rank] = shared.place[longest], shared.place[longest] = v;
      }
    }
    __syncthreads();
    if (rank > 0) {  // the columns before it have the length 1 / scale
      join_columns(p, mine < rank ? product(q + mine * length, x) : 0, 0, rank, shared);
      for (int r = t; r < p.rows; r += jacobi_threads) {
        double v = x[r];
        for (int c = 0; c < rank; ++c) v -= shared.sum[c] * shared.scale[c] * shared.scale[c] * q[c * length + r];
        x[r] = v;
      }
      __syncthreads();
    }
    join_columns(p, mine >= rank && mine < p.columns ? product(q + mine * length, x) : 0, rank, p.columns, shared);
    const double square = shared.sum[rank];
    if (!(square > floor)) break;
    const double inverse = 1 / sqrt(square);
    if (t < p.columns) work[rank * length + shared.place[t]] = t < rank ? 0 : shared.sum[t] * inverse;
    if (t == 0) shared.scale[rank] = inverse;
    part = 0;
    if (mine > rank && mine < p.columns) {
      double* const y = q + mine * length;
      const double share = shared.sum[mine] / square;
      for (int r = lane; r < p.rows; r += lanes) {
        const double v = y[r] - share * x[r];
        y[r] = v, part += v * v;
      }
    }
  }
  __syncthreads();
  for (int c = 0; c < p.columns; ++c)
    for (int i = t; i < length; i += jacobi_threads) {
      double& x = work[c * length + i];
      if (c >= rank) x = 0;
      else if (i >= p.columns) x *= shared.scale[c];
    }
  __syncthreads();
}

/// (x, y) ← (c x - s y, s x + c y) for every step-th element.
__device__ inline void turn_columns(int first, int step, int end, double c, double s, double* __restrict__ x,
                                    double* __restrict__ y) {
#pragma unroll 4
  for (int i = first; i < end; i += step) {
    const double a = x[i], b = y[i];
    x[i] = c * a - s * b, y[i] = s * a + c * b;
  }
}

/// Turns the columns of L, and those of Q with them, until L's are orthogonal.
__device__ inline void orthogonal_columns(const JacobiPlan& p, double* work, JacobiShared& shared) {
  const int t = int(threadIdx.x), pair = t / p.lanes, lane = t % p.lanes, length = p.length();
  const double tolerance = 2.3e-16 * sqrt(double(p.columns));  // of the cosine: the rounding of an inner product
  const int others = 2 * p.pairs - 1;
  for (int sweep = 0; sweep < jacobi_sweeps; ++sweep) {
    bool any = false;
    for (int round = 0; round < others; ++round) {
      int left = pair == 0 ? others : round + pair, right = round - pair;  // the last column stays, the others move on
      if (pair != 0 && left >= others) left -= others;
      if (right < 0) right += others;
      const int low = left < right ? left : right, high = left < right ? right : left;
      const bool plays = pair < p.pairs && high < p.columns;
      double *const x = plays ? work + low * length : work, *const y = plays ? work + high * length : work;
      double xx = 0, yy = 0, xy = 0;
      if (plays)
        for (int r = lane; r < p.columns; r += p.lanes) xx += x[r] * x[r], yy += y[r] * y[r], xy += x[r] * y[r];
      shared.part[0][t] = xx, shared.part[1][t] = yy, shared.part[2][t] = xy;
      __syncthreads();
      if (plays) {
        xx = yy = xy = 0;
        for (int k = t - lane; k < t - lane + p.lanes; ++k)
          xx += shared.part[0][k], yy += shared.part[1][k], xy += shared.part[2][k];
        if (fabs(xy) > tolerance * sqrt(xx * yy) && fabs(xy) > 1e-140) {  // below, the square of `ratio` may overflow
          const double ratio = (yy - xx) / (2 * xy);
          const double tangent = (ratio < 0 ? -1 : 1) / (fabs(ratio) + sqrt(1 + ratio * ratio));
          const double cosine = 1 / sqrt(1 + tangent * tangent);
          turn_columns(lane, p.lanes, length, cosine, cosine * tangent, x, y);
          any = true;
        }
      }
      __syncthreads();
    }
    if (pair < p.pairs && lane == 0) shared.turned[pair] = any;
    __syncthreads();
    any = false;
    for (int k = 0; k < p.pairs; ++k) any = any || shared.turned[k];
    if (!any) return;
  }
}

/// value[g] = Σ s and subgradient[g] = U Vᵀ over s > 0 with s >= drop * s_max, for matrix g = block. Where the matrix holds
/// NaN or infinity both are NaN. `work`: p.work() doubles per matrix.
template <class T>
__global__ void __launch_bounds__(jacobi_threads, 1)
    jacobi_kernel(JacobiPlan p, double drop, const T* a, double* work, T* value, T* subgradient) {
  __shared__ JacobiShared shared;
  const int t = int(threadIdx.x), size = p.size(), length = p.length();
  a += std::int64_t(blockIdx.x) * size;
  subgradient += std::int64_t(blockIdx.x) * size;
  work += blockIdx.x * p.work();  // column c: L's at c length, below it Q's

  double largest = 0, odd = 0;  // odd: 0, or NaN if any element is not finite
  for (int i = t; i < size; i += jacobi_threads) {
    const double x = double(a[i]);
    largest = fmax(largest, fabs(x)), odd += x - x;
  }
  shared.part[0][t] = largest, shared.part[1][t] = odd;
  __syncthreads();
  for (int step = jacobi_threads / 2; step > 0; step /= 2) {
    if (t < step) {
      shared.part[0][t] = fmax(shared.part[0][t], shared.part[0][t + step]);
      shared.part[1][t] += shared.part[1][t + step];
    }
    __syncthreads();
  }
  largest = shared.part[0][0], odd = shared.part[1][0];
  if (!(odd == 0)) {
    for (int i = t; i < size; i += jacobi_threads) subgradient[i] = T(NAN);
    if (t == 0) value[blockIdx.x] = T(NAN);
    return;
  }

  int exponent = 0;  // scaled by a power of two to elements of at most 1, so that squares neither overflow nor vanish
  frexp(largest, &exponent);
  for (int i = t; i < size; i += jacobi_threads)
    work[p.column(i) * length + p.columns + p.row(i)] = ldexp(double(a[i]), -exponent);
  __syncthreads();
  pivoted_columns(p, work, shared);
  orthogonal_columns(p, work, shared);

  const int lanes = p.lanes / 2, mine = t / lanes;
  double squares = 0;
  if (mine < p.columns)
    for (int r = t % lanes; r < p.columns; r += lanes) squares += work[mine * length + r] * work[mine * length + r];
  join_columns(p, squares, 0, p.columns, shared);
  double most = 0;
  for (int c = 0; c < p.columns; ++c) most = fmax(most, sqrt(shared.sum[c]));
  if (t < p.columns) {
    const double s = sqrt(shared.sum[t]);
    shared.scale[t] = s > 0 && s >= drop * most ? 1 / s : 0;
  }
  if (t == 0) {
    double sum = 0;
    for (int c = 0; c < p.columns; ++c) sum += sqrt(shared.sum[c]);
    value[blockIdx.x] = T(ldexp(sum, exponent));
  }
  __syncthreads();
  for (int i = t; i < size; i += jacobi_threads) {
    const double *const u = work + p.columns + p.row(i), *const v = work + p.column(i);
    double sum = 0;
    for (int c = 0; c < p.columns; ++c) sum += u[c * length] * shared.scale[c] * v[c * length];
    subgradient[i] = T(sum);
  }
}

}  // namespace sagcl::ops::cuda
