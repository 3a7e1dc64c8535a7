// A hundred steps of every method end in the weights whose hash stands in tests/golden/bits.json: what changes a bit of a
// training on purpose changes that file, too. The plainest kernels of ours, of OpenBLAS and of the C library are asked
// for, so that the machine does not matter; compiler and libraries do, so each set has hashes of its own.
#include <cblas.h>
#include <gnu/libc-version.h>

#include <fstream>

#include "engine/hash.h"
#include "semiagcl/baselines/registry.h"
#include "tests/tools/small_runs.h"

namespace sagcl::tests {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* plainest =
    "SAGCL_ISA=baseline OPENBLAS_CORETYPE=Prescott GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4,-AVX,-SSE4_1";

/// "GCC 12.2.0, glibc 2.36, OpenBLAS 0.3.21".
std::string what_was_built_with() {
  std::istringstream blas(openblas_get_config());
  std::string name, version;
  blas >> name >> version;
  return fmt::format("{} {}.{}.{}, glibc {}, {} {}",
#ifdef __clang__
                     "clang", __clang_major__, __clang_minor__, __clang_patchlevel__,
#else
                     "GCC", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__,
#endif
                     gnu_get_libc_version(), name, version);
}

class SameBits : public SmallRuns {
 protected:
  /// Of all hashes of the last step: its batch, gradients and weights.
  std::string hash_after_100_steps(const std::string& method) const {
    const Outcome o = run("sagcl-train",
                          arguments(method, {"--method", method, "--set", "train.steps=100", "--set", "evaluation.every=0",
                                             "--set", "evaluation.checkpoint_every=100", "--set", "debug.hashes=99"}),
                          plainest);
    EXPECT_EQ(o.code, 0) << method << ": " << o.err;
    std::ifstream metrics(at(method) / "metrics.jsonl");
    std::string last;
    for (std::string line; std::getline(metrics, line);)
      if (const Json json = Json::parse(line); json["phase"] == "hashes" && json["step"] == 100)
        last = json["tensors"].dump();
    EXPECT_TRUE(contains(last, "gradient/"));
    return fmt::format("{:016x}", engine::hash(last));
  }
};

TEST_F(SameBits, OfAHundredStepsOfEveryMethod) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the hashes are of what is shipped";
#endif
  const fs::path file = fs::path(SAGCL_SOURCE_DIR) / "tests/golden/bits.json";
  const Json known = Json::parse(content_of(file));
  const std::string with = what_was_built_with();
  Json found;
  for (const auto& method : semiagcl::training_methods()) found[method.name] = hash_after_100_steps(method.name);
  if (!known.contains(with))
    GTEST_SKIP() << "tests/golden/bits.json has no hashes for " << with << "; here they are " << found.dump(2);
  EXPECT_EQ(known[with].dump(2), found.dump(2)) << "with " << with;
}

}  // namespace
}  // namespace sagcl::tests
