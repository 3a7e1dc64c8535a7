#include "tools/programs/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "datasets/text.h"
#include "tools/programs/program.h"

namespace sagcl::tools {

namespace {

bool redraws(std::FILE* out) {
  const char* term = std::getenv("TERM");
  return isatty(fileno(out)) && term && std::string(term) != "dumb";
}

std::size_t columns(std::FILE* out) {
  winsize size{};
  return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 100;
}

double seconds_between(std::chrono::steady_clock::time_point a, std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

}  // namespace

std::string duration_text(double seconds) {
  if (!(seconds >= 0) || seconds > 1e8) return "unknown";
  const auto s = std::int64_t(std::llround(seconds));
  if (s >= 3600) return fmt::format("{} h {:02} min", s / 3600, s % 3600 / 60);
  if (s >= 60) return fmt::format("{} min {:02} s", s / 60, s % 60);
  return fmt::format("{} s", s);
}

Progress::Progress(ProgressSpec spec, std::FILE* out) : Progress(std::move(spec), out, redraws(out)) {}

Progress::Progress(ProgressSpec spec, std::FILE* out, bool terminal)
    : spec_(std::move(spec)),
      out_(out),
      terminal_(terminal),
      done_(spec_.start),
      printed_step_(spec_.start),
      begun_(Clock::now()),
      printed_at_(begun_) {}

Progress::~Progress() { finish(); }

std::string Progress::line(bool bar) const {
  const double done = double(done_) + part_, part = spec_.total > 0 ? done / double(spec_.total) : 1;
  const double elapsed = seconds_between(begun_, Clock::now());
  const double steps = done - double(spec_.start);
  std::string text = spec_.label + " ";
  if (bar) {
    const int full = int(std::clamp(part, 0.0, 1.0) * 20);
    for (int i = 0; i < 20; ++i) text += i < full ? "█" : "░";
    text += " ";
  }
  text += fmt::format("{}/{} {:3.0f} %", done_, spec_.total, 100 * part);
  if (!detail_.empty()) text += "  " + detail_;
  if (steps > 0) {
    const double each = elapsed / steps;
    text += each >= 0.1 ? fmt::format("  {:.2f} s each", each) : fmt::format("  {:.1f} ms each", 1e3 * each);
    const double left = each * (double(spec_.total) - done);
    text += done_ < spec_.total ? "  " + duration_text(left) + " to go" : "  in " + duration_text(elapsed);
  }
  return text;
}

void Progress::print() {
  if (terminal_) {
    std::string text = line(true);
    // Cut by visible characters: continuation bytes of UTF-8 take no column.
    std::size_t seen = 0, end = 0;
    for (const std::size_t limit = columns(out_) - 1; end < text.size(); ++end)
      if ((text[end] & 0xC0) != 0x80 && ++seen > limit) break;
    put(out_, "\r" + text.substr(0, end) + "\033[K");
  } else {
    put(out_, line(false) + "\n");
  }
  printed_at_ = Clock::now(), printed_step_ = done_, pending_ = false;
}

void Progress::update(std::int64_t done, const std::string& detail, double part) {
  done_ = done, part_ = part, detail_ = detail, pending_ = true;
  const double waited = seconds_between(printed_at_, Clock::now());
  const bool by_steps = spec_.every_steps > 0 && done_ - printed_step_ >= spec_.every_steps;
  if (terminal_ ? waited > 0.1 || done_ == spec_.total : waited >= spec_.every_seconds || by_steps) print();
}

void Progress::message(const std::string& text) {
  put(out_, (terminal_ ? "\r\033[K" : "") + datasets::printable_lines(text) + "\n");
  if (terminal_ && (done_ > spec_.start || part_ > 0)) print();
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  if (pending_) print();
  if (terminal_ && (done_ > spec_.start || part_ > 0)) put(out_, "\n");
}

}  // namespace sagcl::tools
