#pragma once
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "datasets/phantom.h"
#include "tests/tools/tools_support.h"

namespace sagcl::tests {

/// Trainings that take a moment: eight steps of a U-Net of width 2 on phantoms of 32 x 32 pixels, in "data" of a scratch
/// folder. Of four labelled cases one is for validation; two more are for the test.
class SmallRuns : public testing::Test {
 protected:
  SmallRuns() {
    datasets::write_phantoms(folder_ / "data", {.extents = {{1, 32, 32}}, .seed = 3}, 4, 3, 2);
    put(folder_ / "small.toml", R"([data]
validation = "phantom_003"
[network]
name = "unet"
width = 2
[train]
steps = 8
batch = 2
patch = [1, 32, 32]
learning_rate = 1e-3
restarts = 0
[augment]
flip = ["H", "W"]
[method]
preset = "stable"
warm_up_share = 0.5
patch_grid = "1x2x2"
bank_size = 32
min_negatives = 2
top_n_share = 0.5
min_confidence = 0
projection_hidden = 8
projection_dim = 8
[evaluation]
every = 2
checkpoint_every = 2
)");
  }

  fs::path at(const std::string& name) const { return folder_ / name; }

  std::vector<std::string> arguments(const std::string& name, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {"--config", at("small.toml"), "--data", at("data"),   "--out", at(name), "--device",
                                    "cpu",      "--threads",      "1",      "--no-report"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Outcome train(const std::string& name, const std::vector<std::string>& more = {}) const {
    return run("sagcl-train", arguments(name, more));
  }

  /// Starts sagcl-train without waiting; what it says goes to "log" or another file.
  pid_t spawn(std::vector<std::string> words, const std::string& log = "log") const {
    words.insert(words.begin(), std::string(SAGCL_BINARY_DIR) + "/bin/sagcl-train");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string file = at(log).string();
    const pid_t child = ::fork();
    if (child == 0) {
      const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
      ::dup2(fd, 1), ::dup2(fd, 2);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    return child;
  }
  /// Its exit code, 128 + signal if one ended it.
  static int ended(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  void await(const std::string& file) const {
    for (int i = 0; i < 600000 && !fs::exists(at(file)); ++i) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }

  /// Everything that a run has left, by file name, without times and without its own name.
  std::map<std::string, std::string> results(const std::string& name) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(at(name))) {
      const std::string file = entry.path().lexically_relative(at(name)).string();
      if (entry.is_directory() || file == "env.json" || file == "report.html" || file.starts_with("events.out.")) continue;
      std::string content = content_of(entry.path());
      if (file == "metrics.jsonl" || file == "status.json") content = without_times(content, file == "metrics.jsonl");
      if (file == "metrics.csv") content = without_seconds(content);
      for (std::size_t i; (i = content.find(at(name).string())) != std::string::npos;)
        content.replace(i, at(name).string().size(), "RUN");
      files[file] = content;
    }
    return files;
  }

  /// Every file of two runs has the same bytes.
  void expect_same(const std::string& a, const std::string& b) const {
    const auto x = results(a), y = results(b);
    for (const auto& [file, content] : x) {
      ASSERT_TRUE(y.count(file)) << b << " has no " << file;
      EXPECT_TRUE(content == y.at(file)) << file << " differs between " << a << " and " << b;
    }
    for (const auto& [file, content] : y)
      EXPECT_TRUE(x.count(file)) << b << " has " << file << " beside what " << a << " has";
  }

  Scratch folder_;

 private:
  /// A table without that column.
  static std::string without_seconds(const std::string& csv) {
    std::istringstream lines(csv);
    std::string out;
    std::size_t place = 0;
    for (std::string line; std::getline(lines, line);) {
      std::vector<std::string> cells;
      std::istringstream row(line);
      for (std::string cell; std::getline(row, cell, ',');) cells.push_back(cell);
      if (out.empty()) place = std::size_t(std::find(cells.begin(), cells.end(), "seconds") - cells.begin());
      if (place < cells.size()) cells.erase(cells.begin() + std::ptrdiff_t(place));
      for (const std::string& cell : cells) out += cell + ",";
      out += "\n";
    }
    return out;
  }
  static std::string without_times(const std::string& text, bool by_lines) {
    std::string out;
    for (std::size_t begin = 0, end; begin < text.size(); begin = end + 1) {
      end = by_lines ? std::min(text.find('\n', begin), text.size()) : text.size();
      auto json = nlohmann::ordered_json::parse(text.begin() + std::ptrdiff_t(begin), text.begin() + std::ptrdiff_t(end));
      for (const char* key : {"seconds", "peak_MiB"}) json.erase(key);
      out += json.dump() + "\n";
    }
    return out;
  }
};

}  // namespace sagcl::tests
