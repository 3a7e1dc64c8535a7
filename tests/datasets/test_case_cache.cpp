// Cases on disk: the voxels come back bit for bit, are made once, and again when their files, their recipe or the entry
// itself have changed.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "datasets/case_cache.h"
#include "datasets/phantom.h"
#include "datasets/split.h"
#include "engine/files/read_file.h"
#include "tests/datasets/scratch.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;

class CasesOnDisk : public testing::Test {
 protected:
  CasesOnDisk() {
    write_phantoms(folder_ / "data", {.extents = {{4, 5, 6}}, .seed = 3}, 2, 0, 0);
    data_ = open_dataset(folder_ / "data");
  }
  const Case& one() const { return find_case(data_, "phantom_000"); }
  Sample read(const Case& which, bool with_label = true) {
    ++made_;
    return std::move(load_samples(data_, {which.id}, Normalisation::z_score, with_label).front());
  }
  Sample get(const Case& which, const std::string& recipe = "z_score", bool with_label = true) {
    return CaseCache(folder_ / "cache", recipe)
        .get(
            which.id, hash_of(which), with_label, [&] { return read(which, with_label); }, &damage_);
  }
  std::vector<std::filesystem::path> entries() const { return {std::filesystem::directory_iterator(folder_ / "cache"), {}}; }

  Scratch folder_;
  Dataset data_;
  int made_ = 0;
  std::string damage_;
};

TEST_F(CasesOnDisk, AreMadeOnceAndComeBackBitForBit) {
  Sample memory = read(one());
  memory.geometry.spacing = {2.5, 0.1 + 0.2, 1e-7};
  memory.geometry.affine[3] = -1.0 / 3, memory.geometry.placed = true;
  const CaseCache cache(folder_ / "cache", "z_score");
  for (int i = 0; i < 2; ++i) {
    const Sample disk = cache.get(one().id, hash_of(one()), true, [&] { return ++made_, memory; });
    EXPECT_EQ(made_, 2);
    EXPECT_EQ(disk.id, memory.id);
    EXPECT_TRUE(disk.image.is_borrowed() && disk.label.is_borrowed());
    EXPECT_FALSE(disk.image.sole_owner());
    EXPECT_TRUE(identical(disk.image, memory.image));
    EXPECT_TRUE(identical(disk.label, memory.label));
    EXPECT_EQ(disk.geometry.spacing, memory.geometry.spacing);
    EXPECT_EQ(disk.geometry.affine, memory.geometry.affine);
    EXPECT_TRUE(disk.geometry.placed);
    EXPECT_EQ(disk.geometry.measured, memory.geometry.measured);
  }
}

TEST_F(CasesOnDisk, AreMadeAgainForOtherVoxels) {
  get(one());
  EXPECT_FALSE(get(one(), "z_score", false).label.defined());
  EXPECT_EQ(made_, 2);
  get(one(), "spacing 1 1 1");
  EXPECT_EQ(made_, 3);
  const Case& other = find_case(data_, "phantom_001");
  std::filesystem::copy_file(other.images[0], one().images[0], std::filesystem::copy_options::overwrite_existing);
  EXPECT_TRUE(identical(get(one()).image, read(other).image));
  EXPECT_EQ(made_, 5);
  EXPECT_EQ(entries().size(), 4u);
  EXPECT_EQ(damage_, "");
}

TEST_F(CasesOnDisk, ADamagedFileIsSaidAndMadeAgain) {
  const Sample whole = get(one());
  const std::filesystem::path entry = entries().front();
  const std::string bytes = engine::read_file(entry);
  std::string flipped = bytes;
  flipped[bytes.size() / 2] ^= 1;
  struct Damage {
    std::string bytes, said;
  };
  for (const Damage& d : std::vector<Damage>{{flipped, "do not fit its hash"},
                                             {bytes.substr(0, bytes.size() - 1), "covers bytes"},
                                             {"", "has 0 bytes"},
                                             {"garbage, not a header", "says its header has"}}) {
    std::filesystem::remove(entry);  // a file that is mapped must not be made shorter
    put(entry, d.bytes);
    damage_.clear();
    EXPECT_TRUE(identical(get(one()).image, whole.image));
    EXPECT_NE(damage_.find(d.said), std::string::npos) << damage_;
    EXPECT_NE(damage_.find(entry.string()), std::string::npos) << damage_;
    EXPECT_TRUE(engine::read_file(entry) == bytes);
  }
}

TEST_F(CasesOnDisk, SeveralThreadsShareAFolder) {
  const Sample whole = read(one());
  std::vector<std::thread> threads;
  std::vector<Sample> found(8);
  for (Sample& sample : found)
    threads.emplace_back([&] {
      sample = CaseCache(folder_ / "cache", "z_score").get(one().id, hash_of(one()), true, [&] { return whole; });
    });
  for (std::thread& thread : threads) thread.join();
  for (const Sample& sample : found) EXPECT_TRUE(identical(sample.image, whole.image));
  EXPECT_EQ(entries().size(), 1u);
}

TEST_F(CasesOnDisk, WhatKilledProcessesLeftGoesAfterADay) {
  put(folder_ / "cache" / ".tmp-1-0", "old");
  put(folder_ / "cache" / ".tmp-1-1", "of a run that is at work");
  std::filesystem::last_write_time(folder_ / "cache" / ".tmp-1-0",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(25));
  get(one());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "cache" / ".tmp-1-0"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "cache" / ".tmp-1-1"));
}

TEST_F(CasesOnDisk, AFolderThatCannotBeIsAnError) {
  put(folder_ / "file", "");
  expect_error<engine::IoError>([&] { CaseCache(folder_ / "file", ""); }, {"file", "folder of prepared cases"});
  expect_error(
      [&] {
        get(one(), "broken", true), CaseCache(folder_ / "cache", "x").get(one().id, "0", true, [&]() -> Sample {
          engine::fail<engine::DataError>("the reader's own error");
        });
      },
      {"the reader's own error"});
}

}  // namespace
}  // namespace sagcl::tests
