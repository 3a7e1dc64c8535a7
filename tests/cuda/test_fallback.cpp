// What the program does where there is no GPU. With one, these tests skip themselves.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "engine/devices/device_choice.h"
#include "engine/devices/plugin.h"
#include "engine/devices/precision.h"
#include "engine/processes/communicator.h"
#include "engine/processes/connect.h"
#include "ops/backend.h"

namespace sagcl::engine {
namespace {

bool has_driver() { return dlopen("libcuda.so.1", RTLD_LAZY) != nullptr; }

TEST(Fallback, AutoTakesTheCpuAndSaysWhy) {
  if (has_driver()) GTEST_SKIP() << "there is a CUDA driver";
  const DeviceChoice choice = resolve_device("auto");
  EXPECT_EQ(choice.device, Device::cpu());
  EXPECT_EQ(choice.text, "cpu: no CUDA driver on this machine (libcuda.so.1 not found)");
}

TEST(Fallback, AskingForTheGpuFailsWithTheReason) {
  if (has_driver()) GTEST_SKIP() << "there is a CUDA driver";
  for (const char* wanted : {"cuda", "cuda:0", "cuda:3"}) {
    try {
      resolve_device(wanted);
      FAIL() << wanted;
    } catch (const DeviceError& e) { EXPECT_NE(std::string(e.what()).find("libcuda.so.1"), std::string::npos) << e.what(); }
  }
}

TEST(Fallback, DeviceNames) {
  EXPECT_EQ(resolve_device("cpu").device, Device::cpu());
  for (const char* wrong : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1234"})
    EXPECT_THROW(resolve_device(wrong), UsageError) << wrong;
}

TEST(Fallback, PrecisionNames) {
  for (const Precision p : {Precision::fp32, Precision::tf32, Precision::bf16}) EXPECT_EQ(precision_from(to_string(p)), p);
  EXPECT_THROW(precision_from("fp16"), UsageError);
}

TEST(Fallback, TheCpuHasNoTf32) {
  set_precision(Precision::bf16);
  EXPECT_EQ(resolve_device("cpu").precision, Precision::fp32);
  EXPECT_EQ(precision(), Precision::fp32);
  for (const char* wanted : {"tf32", "fp16"}) EXPECT_THROW(resolve_device("cpu", wanted), UsageError) << wanted;
  EXPECT_NE(resolve_device("cpu", "bf16").text.find("activations in bf16, arithmetic in fp32"), std::string::npos);
  EXPECT_EQ(precision(), Precision::bf16);
  set_precision(Precision::fp32);
}

/// Opened by hand, past the probe for a driver: every symbol is found, and the entry answers instead of failing.
TEST(Plugin, LoadsAndSaysThatThereIsNoGpu) {
  if (has_driver()) GTEST_SKIP() << "there is a CUDA driver";
  (void)ops::backend(Device::cpu());  // the plugin needs the registry of backends in this program
  void* library = dlopen(SAGCL_BINARY_DIR "/bin/libsagcl_cuda.so", RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  const auto start = reinterpret_cast<PluginStart>(dlsym(library, "sagcl_plugin_start"));
  ASSERT_NE(start, nullptr);
  PluginAnswer answer;
  start(plugin_version, 0, &answer);
  EXPECT_FALSE(answer.ready);
  EXPECT_NE(std::string(answer.text), "");
  start(plugin_version + 1, 0, &answer);
  EXPECT_FALSE(answer.ready);
  EXPECT_NE(std::string(answer.text).find("build both anew"), std::string::npos) << answer.text;
}

/// What several processes hear when their GPUs cannot be connected.
std::string why_not_connected() {
  (void)ops::backend(Device::cpu());
  void* library = dlopen(SAGCL_BINARY_DIR "/bin/libsagcl_cuda.so", RTLD_NOW | RTLD_LOCAL);
  const auto f = library ? reinterpret_cast<PluginConnectGpus>(dlsym(library, "sagcl_plugin_connect_gpus")) : nullptr;
  if (!f) return "no entry";
  PluginAnswer answer;
  Communicator* gpus = f(&alone(), &answer);
  return gpus ? "connected" : answer.text;
}

TEST(Nccl, ALibraryThatCannotBeLoadedIsNamed) {
  setenv("SAGCL_NCCL", "/nowhere/libnccl.so.2", 1);
  const std::string why = why_not_connected();
  unsetenv("SAGCL_NCCL");
  if (why.find("built without NCCL") != std::string::npos) GTEST_SKIP() << why;
  EXPECT_NE(why.find("NCCL cannot be loaded: /nowhere/libnccl.so.2"), std::string::npos) << why;
  EXPECT_NE(why.find("LD_LIBRARY_PATH"), std::string::npos) << why;
  setenv("SAGCL_NCCL", "libm.so.6", 1);
  EXPECT_EQ(why_not_connected(), "libm.so.6 has no ncclGetErrorString; NCCL 2.7 or later is needed");
  unsetenv("SAGCL_NCCL");
}

TEST(Nccl, WithoutAGpuItsOwnReasonIsTold) {
  if (has_driver()) GTEST_SKIP() << "there is a CUDA driver";
  if (!dlopen("libnccl.so.2", RTLD_LAZY)) GTEST_SKIP() << "there is no NCCL";
  const std::string why = why_not_connected();
  EXPECT_NE(why.find("ncclCommInitRank: "), std::string::npos) << why;
  EXPECT_NE(why.find("NCCL_DEBUG=INFO"), std::string::npos) << why;
}

TEST(Devices, OneProcessOrTheCpuNeedNoOther) {
  EXPECT_EQ(connect_devices(alone(), Device::cpu()), nullptr);
  EXPECT_EQ(connect_devices(alone(), Device::cuda(0)), nullptr);
}

}  // namespace
}  // namespace sagcl::engine
