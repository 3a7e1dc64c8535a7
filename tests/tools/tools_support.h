#pragma once
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "tests/datasets/scratch.h"
#include "tools/programs/program.h"

/// The programs run as a user runs them.
namespace sagcl::tests {

namespace fs = std::filesystem;
using engine::Tensor;

inline std::string content_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

struct Outcome {
  int code = -1;
  std::string out, err;
};

/// Runs build/bin/<program> with arguments, e.g. run("sagcl-eval", {"--help"}).
inline Outcome run(const std::string& program, const std::vector<std::string>& arguments,
                   const std::string& environment = "") {
  Scratch folder;
  std::string command = environment + " " + tools::shell_quoted(std::string(SAGCL_BINARY_DIR) + "/bin/" + program);
  for (const auto& a : arguments) command += " " + tools::shell_quoted(a);
  command += " >" + (folder / "out").string() + " 2>" + (folder / "err").string() + " </dev/null";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), content_of(folder / "out"),
          content_of(folder / "err")};
}

inline testing::AssertionResult contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "'" << part << "' is not in: " << text.substr(0, 2000);
}

/// A mask u8 [D, H, W] with `value` in the box [from, to).
inline Tensor box(const engine::Shape& shape, std::vector<std::int64_t> from, std::vector<std::int64_t> to,
                  std::uint8_t value = 1) {
  Tensor t = Tensor::zeros(shape, engine::Dtype::u8);
  for (std::int64_t z = from[0]; z < to[0]; ++z)
    for (std::int64_t y = from[1]; y < to[1]; ++y)
      for (std::int64_t x = from[2]; x < to[2]; ++x) t.data<std::uint8_t>()[(z * shape[1] + y) * shape[2] + x] = value;
  return t;
}

struct Folders {
  Scratch scratch;
  Folders() {
    for (const char* f : {"pred", "ref"}) fs::create_directories(scratch / f);
  }
  std::string operator()(const std::string& name) const { return (scratch / name).string(); }
};

}  // namespace sagcl::tests
