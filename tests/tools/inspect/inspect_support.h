#pragma once
#include "tests/tools/small_runs.h"

namespace sagcl::tests {

/// Small runs that are looked into.
class Inspect : public SmallRuns {
 protected:
  void trained(const std::string& method, const std::vector<std::string>& more = {}) {
    std::vector<std::string> all = {"--method", method, "--set", "debug.grads_every=2"};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome o = train("run", all);
    ASSERT_EQ(o.code, 0) << o.err;
  }
  void trained_again(const std::string& method) {
    fs::remove_all(at("run"));
    trained(method);
  }
  Outcome inspect(std::vector<std::string> words) const {
    for (const char* more : {"--device", "cpu", "--threads", "1"}) words.push_back(more);
    return run("sagcl-inspect", words);
  }
};

}  // namespace sagcl::tests
