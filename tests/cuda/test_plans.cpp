// Convolution plans without a GPU: cuDNN builds them for the H100 that h100.json describes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/devices/precision.h"
#include "ops/cuda/cudnn/cudnn_plans.hpp"
#include "ops/cuda/cudnn/plan_file.h"
#include "tests/support/network_shapes.h"

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
  std::vector<ConvPlan> plans(const PlanRequest& request, int most = 8) const {
    return conv_plans(request, {nullptr, gpu.get()}, most, std::int64_t(1) << 30);
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
  const auto all = conv_plans({g, Pass::weight, Precision::tf32}, {nullptr, gpu.get()}, 20, std::int64_t(1) << 30);
  const auto thrifty = conv_plans({g, Pass::weight, Precision::tf32}, {nullptr, gpu.get()}, 20, std::int64_t(64) << 20);
  EXPECT_LT(thrifty.size(), all.size());
  for (const ConvPlan& plan : thrifty) EXPECT_LE(plan.workspace, std::int64_t(64) << 20);
}

TEST_F(DescribedGpu, TheSameRequestGivesTheSameList) {
  const PlanRequest request{tests::network_shapes()[5].geometry, Pass::data, Precision::tf32};
  const auto a = plans(request), b = plans(request);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].engine, b[i].engine);
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
  EXPECT_TRUE(first.remember("conv 1", "3:eng17"));
  EXPECT_TRUE(first.remember("conv 2", "0:eng2"));
  const PlanFile again(path, "GPU A");
  EXPECT_EQ(again.find("conv 1"), "3:eng17");
  EXPECT_EQ(again.find("conv 2"), "0:eng2");
}

TEST_F(PlanFiles, IgnoresAnotherMachineAndDamage) {
  EXPECT_TRUE(PlanFile(path, "GPU A").remember("conv 1", "3:eng17"));
  EXPECT_EQ(PlanFile(path, "GPU B").find("conv 1"), "");
  std::ofstream(path) << "GPU A\nno tab here\nconv 1\t5:eng1\n";
  EXPECT_EQ(PlanFile(path, "GPU A").find("conv 1"), "5:eng1");
}

TEST_F(PlanFiles, SaysWhenItCannotWrite) {
  PlanFile file("/nowhere/at/all.txt", "GPU A");
  EXPECT_FALSE(file.remember("conv 1", "3:eng17"));
  EXPECT_EQ(file.find("conv 1"), "3:eng17");  // for this process
}

}  // namespace
}  // namespace sagcl::ops::cuda
