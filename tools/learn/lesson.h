#pragma once
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace sagcl::learn {

/// What a lesson claims. Each claim is printed and checked; one that does not hold makes the program's exit code 1.
class Claims {
 public:
  template <class... Values>
  void check(bool holds, fmt::format_string<Values...> text, Values&&... values) {
    fmt::print("{} {}\n", holds ? "✓" : "✗ WRONG:", fmt::format(text, std::forward<Values>(values)...));
    failed_ = failed_ || !holds;
  }
  int exit_code() const { return failed_ ? 1 : 0; }

 private:
  bool failed_ = false;
};

/// The shortest of `times` runs of f, in milliseconds: the others met more of the machine's other work.
template <class F>
double milliseconds(int times, F&& f) {
  double best = 1e300;
  for (int i = 0; i < times; ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

}  // namespace sagcl::learn
