// A library that needs another which the loader does not find: it lies where Python's packages have theirs, or where a
// variable says. The two are built beside this test (tests/engine/libraries).
#include "engine/devices/libraries.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "tests/datasets/scratch.h"

namespace sagcl::engine {
namespace {

const std::filesystem::path built = SAGCL_BINARY_DIR "/tests/libraries";

/// Sets a variable for as long as it lives.
struct Variable {
  Variable(const char* variable, const std::string& value) : name(variable) { setenv(name, value.c_str(), 1); }
  ~Variable() { unsetenv(name); }
  const char* name;
};

TEST(Libraries, WhatIsNowhereIsNamed) {
  std::string error;
  EXPECT_EQ(open_library((built / "outer/libsagcl_outer.so").string(), RTLD_NOW, error), nullptr);
  EXPECT_NE(error.find("libsagcl_inner.so: cannot open shared object file"), std::string::npos) << error;
  EXPECT_EQ(open_library("libsagcl_nowhere.so", RTLD_NOW, error), nullptr);
  EXPECT_NE(error.find("libsagcl_nowhere.so: cannot open"), std::string::npos) << error;
}

TEST(Libraries, AreFoundInPythonsPackages) {
  tests::Scratch environment;
  const auto folder = environment / "lib/python3.99/site-packages/nvidia/inner/lib";
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(built / "inner/libsagcl_inner.so", folder / "libsagcl_inner.so");
  const Variable set("VIRTUAL_ENV", environment.path().string());
  std::string error;
  void* library = open_library((built / "outer/libsagcl_outer.so").string(), RTLD_NOW, error);
  ASSERT_NE(library, nullptr) << error;
  EXPECT_EQ(reinterpret_cast<int (*)()>(dlsym(library, "sagcl_outer"))(), 42);
  dlclose(library);
}

TEST(Libraries, AreFoundInTheFoldersOfAVariable) {
  const Variable set("SAGCL_CUDA_LIBS", "/nowhere:" + (built / "alone").string());
  std::string error;
  EXPECT_NE(open_library("libsagcl_alone.so", RTLD_NOW, error), nullptr) << error;
}

}  // namespace
}  // namespace sagcl::engine
