#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "engine/devices/memory_limit.h"

namespace sagcl::tests {
namespace {

namespace fs = std::filesystem;

class MemoryLimit : public testing::Test {
 protected:
  void TearDown() override { fs::remove_all(root_); }
  void put(const std::string& file, const std::string& text) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  std::pair<std::size_t, std::size_t> room(const std::string& groups) const {
    const auto r = engine::with_limits({.free = 700, .total = 1000}, groups, root_);
    return {r.free, r.total};
  }
  using Room = std::pair<std::size_t, std::size_t>;  // free, total
  fs::path root_ = fs::temp_directory_path() / ("sagcl-groups-" + std::to_string(::getpid()));
};

TEST_F(MemoryLimit, NoneLeavesTheMachine) {
  EXPECT_EQ(room(""), Room(700, 1000));
  EXPECT_EQ(room("0::/a/b\n"), Room(700, 1000));  // nothing to be read
  put("memory.max", "max\n");
  EXPECT_EQ(room("0::/\n"), Room(700, 1000));
  EXPECT_EQ(room("rubbish\n:\n"), Room(700, 1000));
}

TEST_F(MemoryLimit, TheNarrowestOfAllGroupsAbove) {
  put("job/memory.max", "500\n");
  put("job/memory.stat", "anon 150\nfile 300\nkernel 9\n");
  put("job/step/memory.max", "max\n");
  EXPECT_EQ(room("0::/job/step\n"), Room(350, 500));
  put("job/step/memory.max", "400\n");
  put("job/step/memory.stat", "anon 100\n");
  EXPECT_EQ(room("0::/job/step\n"), Room(300, 400));
  put("job/step/memory.stat", "anon 450\n");
  EXPECT_EQ(room("0::/job/step\n"), Room(0, 400));
  EXPECT_EQ(room("0::/other\n"), Room(700, 1000));
}

TEST_F(MemoryLimit, VersionOneHasItsOwnFiles) {
  put("memory/job/memory.limit_in_bytes", "600\n");
  put("memory/job/memory.stat", "cache 90\nrss 5\ntotal_cache 90\ntotal_rss 200\n");
  put("memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(room("5:devices:/\n4:memory:/job\n0::/\n"), Room(400, 600));
  EXPECT_EQ(room("4:cpu,memory:/job/step\n"), Room(400, 600));
  // a container sees only its own group, as the root, and not the path
  put("memory/memory.limit_in_bytes", "300\n");
  EXPECT_EQ(room("4:memory:/docker/4f5e\n"), Room(300, 300));
}

}  // namespace
}  // namespace sagcl::tests
