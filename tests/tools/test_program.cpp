#include <algorithm>
#include <cerrno>
#include <cmath>
#include <system_error>

#include "tests/tools/tools_support.h"
#include "tools/programs/progress.h"
#include "tools/programs/signals.h"
#include "tools/programs/text_table.h"

using namespace sagcl;
using tests::contains;

namespace {

template <class E>
int code_of(E error, std::string* text = nullptr) {
  std::string message;
  try {
    throw error;
  } catch (...) {
    const int code = tools::exit_code_of_current_exception(message);
    if (text) *text = message;
    return code;
  }
}

}  // namespace

TEST(Program, EveryKindOfMistakeHasItsExitCode) {
  EXPECT_EQ(code_of(engine::UsageError("x")), 2);
  EXPECT_EQ(code_of(engine::DataError("x")), 65);
  EXPECT_EQ(code_of(engine::MissingInput("x")), 66);
  EXPECT_EQ(code_of(engine::DeviceError("x")), 69);
  EXPECT_EQ(code_of(engine::OutOfMemory("x")), 71);
  EXPECT_EQ(code_of(std::bad_alloc()), 71);
  EXPECT_EQ(code_of(engine::IoError("x")), 74);
  EXPECT_EQ(code_of(engine::InUse("x")), 75);
  EXPECT_EQ(code_of(engine::NonFiniteError("x")), 76);
  EXPECT_EQ(code_of(tools::Stopped()), 130);
  std::string text;
  EXPECT_EQ(code_of(std::system_error(EAGAIN, std::generic_category()), &text), 71);
  EXPECT_TRUE(contains(text, "--threads"));
  EXPECT_EQ(code_of(std::runtime_error("odd"), &text), 1);
  EXPECT_EQ(text, "internal: odd");
}

TEST(Program, SuggestsTheNearestName) {
  const std::vector<std::string> keys = {"train.learning_rate", "train.steps", "method.tau"};
  EXPECT_EQ(tools::closest("train.learning_rat", keys), "train.learning_rate");
  EXPECT_EQ(tools::closest("learning_rate", keys), "train.learning_rate");
  EXPECT_EQ(tools::closest("train.setps", keys), "train.steps");  // neighbours swapped
  EXPECT_EQ(tools::closest("colour", keys), "");
  EXPECT_EQ(tools::did_you_mean("train.step", keys), " (did you mean train.steps?)");
}

TEST(Program, QuotesForTheShellOnlyWhereNeeded) {
  EXPECT_EQ(tools::shell_quoted("runs/a-1.nii.gz"), "runs/a-1.nii.gz");
  EXPECT_EQ(tools::shell_quoted("two words"), "'two words'");
  EXPECT_EQ(tools::shell_quoted("it's"), "'it'\\''s'");
  EXPECT_EQ(tools::shell_quoted(""), "''");
}

TEST(Program, TablesAreAsWideAsTheirCells) {
  tools::TextTable table({"case", "Dice"});
  table.row({"a", "90.25"});
  table.rule();
  table.row({"mean", "-"});
  EXPECT_EQ(table.text(), "case   Dice\n-----------\na     90.25\n-----------\nmean      -\n");
  EXPECT_THROW(table.row({"one cell"}), engine::UsageError);
  EXPECT_EQ(tools::number(std::nan(""), 2), "-");
}

TEST(Program, DurationsAreReadAtAGlance) {
  EXPECT_EQ(tools::duration_text(12.4), "12 s");
  EXPECT_EQ(tools::duration_text(185), "3 min 05 s");
  EXPECT_EQ(tools::duration_text(3720), "1 h 02 min");
  EXPECT_EQ(tools::duration_text(-1), "unknown");
}

TEST(Program, ProgressWritesPlainLinesOffATerminal) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* out = open_memstream(&text, &size);
  {
    tools::Progress progress({.label = "train", .total = 100, .every_seconds = 1e9, .every_steps = 50}, out, false);
    for (int step = 1; step <= 100; ++step) progress.update(step, "loss 0.5");
  }
  std::fclose(out);
  const std::string lines(text, size);
  std::free(text);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2) << lines;
  EXPECT_TRUE(contains(lines, "train 50/100  50 %  loss 0.5"));
  EXPECT_TRUE(contains(lines, "to go"));
  EXPECT_EQ(lines.find('\r'), std::string::npos);
}

TEST(Program, ProgressMovesWithinAStep) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* out = open_memstream(&text, &size);
  {
    tools::Progress progress({.label = "predict", .total = 2, .every_seconds = 0}, out, false);
    progress.update(0, "scan", 0.5);
    progress.update(1, "scan", 0.75);
  }
  std::fclose(out);
  const std::string lines(text, size);
  std::free(text);
  EXPECT_TRUE(contains(lines, "predict 0/2  25 %  scan"));
  EXPECT_TRUE(contains(lines, "predict 1/2  88 %  scan"));
  EXPECT_TRUE(contains(lines, "to go"));
}

TEST(Program, ProgressRedrawsOneLineOnATerminal) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* out = open_memstream(&text, &size);
  {
    tools::Progress progress({.label = "train", .total = 3}, out, true);
    for (int step = 1; step <= 3; ++step) progress.update(step);
    progress.message("a note");
  }
  std::fclose(out);
  const std::string lines(text, size);
  std::free(text);
  EXPECT_TRUE(contains(lines, "\r"));
  EXPECT_TRUE(contains(lines, "3/3"));
  EXPECT_TRUE(contains(lines, "a note\n"));
}
