#pragma once
// Element by element: y[i] depends on x[i] alone.
#include <cmath>

#include "ops/backend.h"
#include "ops/kernels/radix_select.inl"

namespace sagcl::ops::kernels {

// Each function states its value and its derivative, the latter from x and y = f(x) (whichever is cheaper). A NaN
// comes out as a NaN: comparisons are written so that it takes the branch that returns x.
template <class T>
struct Relu {
  SAGCL_BOTH T value(T x, T) const { return x <= 0 ? T(0) : x; }
  SAGCL_BOTH T slope(T, T y, T) const { return y > 0 ? T(1) : T(0); }
};
template <class T>
struct LeakyRelu {
  SAGCL_BOTH T value(T x, T a) const { return x * (x > 0 ? T(1) : a); }  // a choice of constants, never a branch
  SAGCL_BOTH T slope(T x, T, T a) const { return x > 0 ? T(1) : a; }
};
template <class T>
struct Sigmoid {
  SAGCL_BOTH T value(T x, T) const { return T(1) / (T(1) + std::exp(-x)); }
  SAGCL_BOTH T slope(T, T y, T) const { return y * (T(1) - y); }
};
template <class T>
struct Tanh {
  SAGCL_BOTH T value(T x, T) const { return std::tanh(x); }
  SAGCL_BOTH T slope(T, T y, T) const { return (T(1) - y) * (T(1) + y); }
};
template <class T>
struct Exp {
  SAGCL_BOTH T value(T x, T) const { return std::exp(x); }
  SAGCL_BOTH T slope(T, T y, T) const { return y; }
};
template <class T>
struct Log {
  SAGCL_BOTH T value(T x, T) const { return std::log(x); }
  SAGCL_BOTH T slope(T x, T, T) const { return T(1) / x; }
};
template <class T>
struct Sqrt {
  SAGCL_BOTH T value(T x, T) const { return std::sqrt(x); }
  SAGCL_BOTH T slope(T, T y, T) const { return T(0.5) / y; }
};
template <class T>
struct Square {
  SAGCL_BOTH T value(T x, T) const { return x * x; }
  SAGCL_BOTH T slope(T x, T, T) const { return T(2) * x; }
};

template <class T, template <class> class F>
struct ApplyUnary {
  T a;
  const T* x;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t i) const { y[i] = F<T>().value(x[i], a); }
};

template <class T, template <class> class F>
struct ApplySlope {
  T a;
  const T *x, *y, *dy;
  T* dx;
  SAGCL_BOTH void operator()(std::int64_t i) const { dx[i] = dy[i] * F<T>().slope(x[i], y[i], a); }
};

template <class Launch>
void unary(Unary f, double a, const Tensor& x, Tensor& y) {
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const T* in = x.template data<T>();
    T* out = y.template data<T>();
    switch (f) {
      case Unary::relu: return Launch::for_each(x.size(), ApplyUnary<T, Relu>{T(a), in, out});
      case Unary::leaky_relu: return Launch::for_each(x.size(), ApplyUnary<T, LeakyRelu>{T(a), in, out});
      case Unary::sigmoid: return Launch::for_each(x.size(), ApplyUnary<T, Sigmoid>{T(a), in, out});
      case Unary::tanh: return Launch::for_each(x.size(), ApplyUnary<T, Tanh>{T(a), in, out});
      case Unary::exp: return Launch::for_each(x.size(), ApplyUnary<T, Exp>{T(a), in, out});
      case Unary::log: return Launch::for_each(x.size(), ApplyUnary<T, Log>{T(a), in, out});
      case Unary::sqrt: return Launch::for_each(x.size(), ApplyUnary<T, Sqrt>{T(a), in, out});
      case Unary::square: return Launch::for_each(x.size(), ApplyUnary<T, Square>{T(a), in, out});
    }
  });
}

template <class Launch>
void unary_backward(Unary f, double a, const Tensor& x, const Tensor& y, const Tensor& dy, Tensor& dx) {
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const T *in = x.template data<T>(), *out = y.template data<T>(), *d = dy.template data<T>();
    T* r = dx.template data<T>();
    switch (f) {
      case Unary::relu: return Launch::for_each(x.size(), ApplySlope<T, Relu>{T(a), in, out, d, r});
      case Unary::leaky_relu: return Launch::for_each(x.size(), ApplySlope<T, LeakyRelu>{T(a), in, out, d, r});
      case Unary::sigmoid: return Launch::for_each(x.size(), ApplySlope<T, Sigmoid>{T(a), in, out, d, r});
      case Unary::tanh: return Launch::for_each(x.size(), ApplySlope<T, Tanh>{T(a), in, out, d, r});
      case Unary::exp: return Launch::for_each(x.size(), ApplySlope<T, Exp>{T(a), in, out, d, r});
      case Unary::log: return Launch::for_each(x.size(), ApplySlope<T, Log>{T(a), in, out, d, r});
      case Unary::sqrt: return Launch::for_each(x.size(), ApplySlope<T, Sqrt>{T(a), in, out, d, r});
      case Unary::square: return Launch::for_each(x.size(), ApplySlope<T, Square>{T(a), in, out, d, r});
    }
  });
}

template <class T>
struct Plus {
  SAGCL_BOTH T operator()(T a, T b) const { return a + b; }
};
template <class T>
struct Minus {
  SAGCL_BOTH T operator()(T a, T b) const { return a - b; }
};
template <class T>
struct Times {
  SAGCL_BOTH T operator()(T a, T b) const { return a * b; }
};
template <class T>
struct Over {
  SAGCL_BOTH T operator()(T a, T b) const { return a / b; }
};

template <class T, template <class> class F>
struct ApplyBinary {
  const T *a, *b;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t i) const { y[i] = F<T>()(a[i], b[i]); }
};

template <class Launch>
void binary(Binary f, const Tensor& a, const Tensor& b, Tensor& y) {
  engine::visit_float(y.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const T *l = a.template data<T>(), *r = b.template data<T>();
    T* out = y.template data<T>();
    switch (f) {
      case Binary::add: return Launch::for_each(y.size(), ApplyBinary<T, Plus>{l, r, out});
      case Binary::subtract: return Launch::for_each(y.size(), ApplyBinary<T, Minus>{l, r, out});
      case Binary::multiply: return Launch::for_each(y.size(), ApplyBinary<T, Times>{l, r, out});
      case Binary::divide: return Launch::for_each(y.size(), ApplyBinary<T, Over>{l, r, out});
    }
  });
}

template <class T>
struct Scale {
  T alpha;
  const T* x;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t i) const { y[i] = alpha * x[i]; }
};

template <class T>
struct ScaleAdd {
  T alpha, beta;
  const T *x, *z;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t i) const { y[i] = alpha * x[i] + beta * z[i]; }
};

template <class Launch>
void scale_add(double alpha, const Tensor& x, double beta, const Tensor& z, Tensor& y) {
  engine::visit_float(y.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const T* in = x.template data<T>();
    T* out = y.template data<T>();
    if (!z.defined()) return Launch::for_each(y.size(), Scale<T>{T(alpha), in, out});
    Launch::for_each(y.size(), ScaleAdd<T>{T(alpha), T(beta), in, z.template data<T>(), out});
  });
}

template <class T>
struct ScaleBy {
  const double* factor;
  const T* x;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t i) const { y[i] = T(factor[0]) * x[i]; }
};

template <class Launch>
void scale_by(const Tensor& factor, const Tensor& x, Tensor& y) {
  engine::visit_float(y.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_each(y.size(), ScaleBy<T>{factor.template data<double>(), x.template data<T>(), y.template data<T>()});
  });
}

/// One group looks at all elements: x is a loss, or a few of them.
template <class T>
struct CloseUnlessFinite {
  using Shared = int;
  std::int64_t n;
  const T* x;
  double* gate;
  template <class Group>
  SAGCL_GROUP void operator()(std::int64_t, int& bad, const Group& group) const {
    if (group.thread() == 0) bad = 0;
    group.sync();
    int mine = 0;
    for (std::int64_t i = group.thread(); i < n; i += group.threads()) mine += !(x[i] - x[i] == 0);
    if (mine > 0) group.add(&bad, 1);
    group.sync();
    if (group.thread() == 0 && bad > 0) *gate = 0;
  }
};

template <class Launch>
void close_unless_finite(const Tensor& x, Tensor& gate) {
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_groups(1, CloseUnlessFinite<T>{x.size(), x.template data<T>(), gate.template data<double>()});
  });
}

template <class T>
struct AddScalar {
  T c;
  const T* x;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t i) const { y[i] = x[i] + c; }
};

template <class Launch>
void add_scalar(const Tensor& x, double c, Tensor& y) {
  engine::visit_float(y.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_each(y.size(), AddScalar<T>{T(c), x.template data<T>(), y.template data<T>()});
  });
}

template <class From, class To>
struct Convert {
  const From* x;
  To* y;
  SAGCL_BOTH void operator()(std::int64_t i) const { y[i] = To(x[i]); }
};

template <class Launch>
void convert(const Tensor& x, Tensor& y) {
  engine::visit_real(x.dtype(), [&](auto from) {
    using From = typename decltype(from)::type;
    engine::visit_real(y.dtype(), [&](auto to) {
      using To = typename decltype(to)::type;
      Launch::for_each(x.size(), Convert<From, To>{x.template data<From>(), y.template data<To>()});
    });
  });
}

template <class T>
struct Clamp {
  T low, high;
  const T* x;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t i) const { y[i] = x[i] < low ? low : x[i] > high ? high : x[i]; }
};

template <class Launch>
void clamp(const Tensor& x, double low, double high, Tensor& y) {
  engine::visit_float(y.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_each(y.size(), Clamp<T>{T(low), T(high), x.template data<T>(), y.template data<T>()});
  });
}

}  // namespace sagcl::ops::kernels
