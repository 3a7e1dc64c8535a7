// Convolution plans without a GPU: cuDNN builds them for the H100 that h100.json describes.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "engine/devices/precision.h"
#include "ops/cuda/cudnn/cudnn_plans.hpp"
#include "ops/cuda/cudnn/plan_file.h"
#include "tests/support/network_shapes.h"
#include "tests/support/throws.h"

namespace sagcl::ops::cuda {
namespace {

using engine::Precision;

class DescribedGpu : public testing::Test {
 protected:
  void SetUp() override {
    std::ifstream in(SAGCL_SOURCE_DIR "/tests/cuda/h100.json");
    std::string json;
    std::getline(in, json);
    ASSERT_FALSE(json.empty());
    try {
      gpu = describe_gpu(json);
    } catch (const engine::BackendError& e) { GTEST_SKIP() << "this cuDNN does not accept a described GPU: " << e.what(); }
  }
  std::vector<ConvPlan> plans(const PlanRequest& request, int per_list = 8, const std::string& only = "") const {
    return conv_plans(request, {nullptr, gpu.get()}, {per_list, std::int64_t(1) << 30}, only);
  }
  SharedDescriptor gpu;
};

TEST_F(DescribedGpu, EveryLayerOfBothNetworksHasPlans) {
  int requests = 0;
  std::int64_t largest = 0;
  for (const tests::NetworkShape& shape : tests::network_shapes())
    for (const Pass pass : {Pass::forward, Pass::data, Pass::weight})
      for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16})
        for (const bool bias : {false, true}) {
          if (bias && pass != Pass::forward) continue;
          const PlanRequest request{shape.geometry, pass, precision, bias};
          const std::vector<ConvPlan> found = plans(request, 1);
          ++requests;
          ASSERT_FALSE(found.empty()) << request.key();
          largest = std::max(largest, found.front().workspace);
        }
  EXPECT_GT(requests, 300);
  EXPECT_LE(largest, std::int64_t(512) << 20) << "memory of the first choices";
}

TEST_F(DescribedGpu, Fp32LeavesTensorCoresOut) {
  const ConvGeometry g = tests::network_shapes()[8].geometry;
  for (const Pass pass : {Pass::forward, Pass::data, Pass::weight}) {
    for (const ConvPlan& plan : plans({g, pass, Precision::fp32}))
      EXPECT_EQ(plan.engine.find("tensor-core"), std::string::npos) << plan.engine;
    EXPECT_NE(plans({g, pass, Precision::tf32}).front().engine.find("tensor-core"), std::string::npos);
  }
}

TEST_F(DescribedGpu, KeepsToTheWorkspaceLimit) {
  const ConvGeometry g = tests::network_shapes()[0].geometry;
  const auto all = plans({g, Pass::weight, Precision::tf32}, 20);
  const auto thrifty = conv_plans({g, Pass::weight, Precision::tf32}, {nullptr, gpu.get()}, {20, std::int64_t(64) << 20});
  EXPECT_LT(thrifty.size(), all.size());
  for (const ConvPlan& plan : thrifty) EXPECT_LE(plan.workspace, std::int64_t(64) << 20);
}

TEST_F(DescribedGpu, TheSameRequestGivesTheSameList) {
  const PlanRequest request{tests::network_shapes()[5].geometry, Pass::data, Precision::tf32};
  const auto a = plans(request), b = plans(request);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].engine, b[i].engine);
}

/// Heuristic A alone names no fast deterministic engine for the weight gradient in fp32; the fallbacks do.
TEST_F(DescribedGpu, Fp32HasTheFallbacksEnginesToo) {
  for (const std::int64_t channels : {16, 32, 128}) {
    ConvGeometry g = tests::network_shapes()[0].geometry;
    g.C = g.O = channels, g.in = g.out = Extents{{28, 28, 20}};
    const std::vector<ConvPlan> found = plans({g, Pass::weight, Precision::fp32});
    EXPECT_TRUE(std::any_of(found.begin(), found.end(), [](const ConvPlan& p) { return p.engine == "eng1{}"; })) << channels;
  }
}

/// fp32 as three products in TF32: three times the terms of the sum (ops/cuda/cudnn/tf32_split.cuh).
TEST_F(DescribedGpu, StackedOperandsHavePlans) {
  for (const tests::NetworkShape& shape : tests::network_shapes())
    for (const Pass pass : {Pass::forward, Pass::data, Pass::weight}) {
      ConvGeometry g = shape.geometry;
      (pass == Pass::forward ? g.C : pass == Pass::data ? g.O : g.N) *= 3;
      EXPECT_FALSE(plans({g, pass, Precision::tf32, pass == Pass::forward}, 1).empty())
          << shape.name << " " << to_string(pass);
    }
}

TEST_F(DescribedGpu, EveryEngineIsProposedOnceAndFoundByItsName) {
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
    const PlanRequest request{tests::network_shapes()[5].geometry, Pass::forward, precision};
    std::set<std::string> names;
    for (const ConvPlan& plan : plans(request)) {
      EXPECT_TRUE(names.insert(plan.engine).second) << plan.engine;
      const std::vector<ConvPlan> alone = plans(request, 8, plan.engine);
      ASSERT_EQ(alone.size(), 1U) << plan.engine;
      EXPECT_EQ(alone.front().engine, plan.engine);
      EXPECT_EQ(alone.front().workspace, plan.workspace);
    }
    EXPECT_TRUE(plans(request, 8, "eng4711{}").empty());
  }
}

class PlanFiles : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove(path); }
  void TearDown() override { std::filesystem::remove(path); }
  const std::string path = (std::filesystem::temp_directory_path() / fmt::format("sagcl-plans-{}.txt", getpid())).string();
};

TEST_F(PlanFiles, RemembersBetweenRuns) {
  PlanFile first(path, "GPU A");
  EXPECT_EQ(first.find("conv 1"), "");
  EXPECT_EQ(first.remember("conv 1", "eng17{}", {"eng17{}"}), "eng17{}");
  EXPECT_EQ(first.remember("conv 2", "eng2{13=1}", {"eng2{13=1}"}), "eng2{13=1}");
  const PlanFile again(path, "GPU A");
  EXPECT_EQ(again.find("conv 1"), "eng17{}");
  EXPECT_EQ(again.find("conv 2"), "eng2{13=1}");
}

TEST_F(PlanFiles, IgnoresAnotherMachineAndDamage) {
  PlanFile(path, "GPU A").remember("conv 1", "eng17{}", {"eng17{}"});
  EXPECT_EQ(PlanFile(path, "GPU B").find("conv 1"), "");
  std::ofstream(path) << "GPU A\nno tab here\nconv 1\teng1{}\n";
  EXPECT_EQ(PlanFile(path, "GPU A").find("conv 1"), "eng1{}");
}

TEST_F(PlanFiles, TwoWritersLoseNothingAndAgree) {
  PlanFile a(path, "GPU A"), b(path, "GPU A");
  EXPECT_EQ(a.remember("conv 1", "eng1{}", {"eng1{}"}), "eng1{}");
  EXPECT_EQ(b.remember("conv 2", "eng2{}", {"eng2{}"}), "eng2{}");
  EXPECT_EQ(b.remember("conv 1", "eng3{}", {"eng1{}", "eng3{}"}), "eng1{}") << "what stands in the file wins";
  const PlanFile after(path, "GPU A");
  EXPECT_EQ(after.find("conv 1"), "eng1{}");
  EXPECT_EQ(after.find("conv 2"), "eng2{}");
}

TEST_F(PlanFiles, ProcessesThatWriteAtOnceLoseNothing) {
  constexpr int processes = 4, keys = 50;
  std::vector<pid_t> children;
  for (int p = 0; p < processes; ++p) {
    const pid_t child = fork();
    if (child == 0) {
      PlanFile file(path, "GPU A");
      for (int k = 0; k < keys; ++k) file.remember(fmt::format("{} of {}", k, p), "eng1{}", {"eng1{}"});
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) waitpid(child, nullptr, 0);
  const PlanFile after(path, "GPU A");
  for (int p = 0; p < processes; ++p)
    for (int k = 0; k < keys; ++k) EXPECT_EQ(after.find(fmt::format("{} of {}", k, p)), "eng1{}") << k << " of " << p;
}

TEST_F(PlanFiles, SaysWhenItCannotWrite) {
  PlanFile file("/nowhere/at/all.txt", "GPU A");
  testing::internal::CaptureStderr();
  EXPECT_EQ(file.remember("conv 1", "eng17{}", {"eng17{}"}), "eng17{}");
  EXPECT_NE(testing::internal::GetCapturedStderr().find("/nowhere/at/all.txt cannot be written"), std::string::npos);
  EXPECT_EQ(file.find("conv 1"), "eng17{}");  // for this process
}

TEST_F(PlanFiles, SettlesOnTheFastestThatRuns) {
  PlanFile file(path, "GPU A");
  const std::vector<Timing> timings{{Timing::refused}, {Timing::ran, 3}, {Timing::ran, 2}, {Timing::ran, 4}};
  std::vector<float> shortest_before;
  const auto time = [&](std::size_t i, float shortest) {
    shortest_before.push_back(shortest);
    return timings[i];
  };
  EXPECT_EQ(file.settle("conv 1", {"a", "b", "c", "d"}, time), "c");
  EXPECT_EQ(shortest_before[2], 3);
  EXPECT_EQ(shortest_before[3], 2);
  EXPECT_EQ(PlanFile(path, "GPU A").find("conv 1"), "c");
}

TEST_F(PlanFiles, AnEngineThatIsGoneIsReplaced) {
  PlanFile(path, "GPU A").remember("conv 1", "gone", {"gone"});
  PlanFile file(path, "GPU A");
  EXPECT_EQ(file.settle("conv 1", {"a"}, [](std::size_t, float) { return Timing{Timing::ran, 1}; }), "a");
  EXPECT_EQ(PlanFile(path, "GPU A").find("conv 1"), "a");
}

TEST_F(PlanFiles, NoFailureBecomesAChoice) {
  PlanFile file(path, "GPU A");
  EXPECT_TRUE(tests::throws<engine::BackendError>(
      [&] {
        file.settle("conv 1", {"a", "b"}, [](std::size_t, float) { return Timing{Timing::refused}; });
      },
      "none of 2 ways runs for conv 1"));
  // Without room for one of them the other serves, but only now.
  testing::internal::CaptureStderr();
  const auto full = [](std::size_t i, float) { return i == 0 ? Timing{Timing::no_room} : Timing{Timing::ran, 5}; };
  EXPECT_EQ(file.settle("conv 1", {"a", "b"}, full), "b");
  EXPECT_NE(testing::internal::GetCapturedStderr().find("not every engine found room for conv 1"), std::string::npos);
  file.remember("conv 2", "a", {"a"});
  EXPECT_EQ(PlanFile(path, "GPU A").find("conv 1"), "");
  EXPECT_TRUE(tests::throws<engine::OutOfMemory>(
      [&] { file.settle("conv 1", {"a"}, [](std::size_t, float) -> Timing { throw engine::OutOfMemory("sticky"); }); },
      "sticky"));
}

}  // namespace
}  // namespace sagcl::ops::cuda
