#include "engine/files/atomic_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <iterator>
#include <thread>
#include <vector>

#include "engine/files/read_file.h"
#include "tests/datasets/scratch.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

namespace fs = std::filesystem;
using engine::AtomicFile;

std::size_t entries(const fs::path& folder) {
  return std::size_t(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(AtomicFile, AppearsWholeOrNotAtAll) {
  const Scratch s;
  const fs::path file = s / "f";
  put(file, "old");
  {
    AtomicFile given_up(file);
    given_up.write("new", 3);
    EXPECT_EQ(engine::read_file(file), "old");
  }
  EXPECT_EQ(engine::read_file(file), "old");
  EXPECT_EQ(entries(s.path()), 1u);  // nothing else is left

  AtomicFile first(file), second(s / "g");  // two at once, in one folder
  first.write("ab", 2), second.write("x", 1), first.write("cd", 2);
  first.write_at(6, "gh", 2), first.write_at(1, "B", 1), first.write("C", 1);
  EXPECT_EQ(engine::read_file(file), "old");
  second.commit(), first.commit();
  EXPECT_EQ(engine::read_file(file), std::string("aBCd\0\0gh", 8));
  EXPECT_EQ(engine::read_file(s / "g"), "x");
  EXPECT_EQ(entries(s.path()), 2u);
}

TEST(AtomicFile, TakesEveryNameThatAFileCanHave) {
  const Scratch s;
  for (const std::size_t length : {1, 246, 255}) {
    const fs::path file = s / std::string(length, 'x');
    engine::write_file_atomically(file, "content");
    EXPECT_EQ(engine::read_file(file), "content");
  }
  EXPECT_TRUE(throws<engine::IoError>([&] { engine::write_file_atomically(s / std::string(256, 'x'), "content"); },
                                      "File name too long"));
  EXPECT_EQ(entries(s.path()), 3u);
}

TEST(AtomicFile, SaysThatWritingFailedAndLeavesNothing) {
  const Scratch s;
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_TRUE(
      throws<engine::IoError>([&] { engine::write_file_atomically(s / "f", std::string(2000, 'x')); }, "writing failed"));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old);
  EXPECT_EQ(entries(s.path()), 0u);
}

TEST(AtomicFile, AFailedWriteLeavesTheOldFile) {
  const Scratch s;
  const fs::path target = s / "kept";
  engine::write_file_atomically(target, "old");
  fs::permissions(s.path(), fs::perms::owner_read | fs::perms::owner_exec);
  if (::geteuid() != 0) {  // the administrator may write anywhere
    EXPECT_TRUE(throws<engine::IoError>([&] { engine::write_file_atomically(target, "new"); }, "cannot be created"));
  }
  fs::permissions(s.path(), fs::perms::owner_all);
  EXPECT_TRUE(
      throws<engine::IoError>([&] { engine::write_file_atomically(s / "absent" / "file", "new"); }, "cannot be created"));
  EXPECT_EQ(engine::read_file(target), "old");
}

TEST(AtomicFile, AKilledWriterLeavesNothing) {
  const Scratch s;
  const int nameless = ::open(s.path().c_str(), O_WRONLY | O_TMPFILE, 0644);
  if (nameless < 0) GTEST_SKIP() << "this file system knows no files without a name";
  ::close(nameless);
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile file(s / "f");
    file.write("half", 4);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(entries(s.path()), 0u);
}

TEST(AtomicFile, ReplacesAFileThatSeveralWrite) {
  const Scratch s;
  const fs::path target = s / "f";
  std::vector<std::thread> writers;
  for (const char letter : {'a', 'b', 'c'})
    writers.emplace_back([&, letter] {
      for (int i = 0; i < 100; ++i) engine::write_file_atomically(target, std::string(10000, letter));
    });
  for (std::thread& writer : writers) writer.join();
  const std::string found = engine::read_file(target);
  EXPECT_EQ(found, std::string(10000, found[0]));
  EXPECT_EQ(entries(s.path()), 1u);
}

TEST(AtomicFile, NamesOfTemporaryFilesAreKnown) {
  for (const char* name : {"runs/a/status.json.tmp-4711", "runs/a/.tmp-4711-0"})
    EXPECT_TRUE(engine::is_temporary(name)) << name;
  for (const char* name : {"whole", "step-0000600.safetensors", "case.tmp", "a.tmp-b", ".tmp-"})
    EXPECT_FALSE(engine::is_temporary(name)) << name;
}

}  // namespace
}  // namespace sagcl::tests
