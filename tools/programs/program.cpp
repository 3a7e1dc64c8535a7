#include "tools/programs/program.h"

#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <system_error>

#include "datasets/text.h"
#include "tools/programs/signals.h"
#include "tools/programs/version.h"

namespace sagcl::tools {

namespace fs = std::filesystem;

namespace {

constexpr const char* exit_code_text =
    "Exit codes: 0 done; 1 internal error; 2 command line or configuration; 65 unusable data; 66 missing input;\n"
    "69 device unavailable; 71 out of memory; 74 reading or writing failed; 75 the run folder is in use, try later;\n"
    "76 stopped at a non-finite value; 130 or 143 interrupted, state saved.\n";

bool silent = false;

std::terminate_handler end_of_others = nullptr;

/// What nobody catches. Before main and while the command line is built that is a lack of memory: no allocation here.
[[noreturn]] void end_uncaught() {
  const auto out_of_memory = [] {
    for (const char* const text : {static_cast<const char*>(program_invocation_short_name), ": error: out of memory\n"})
      if (write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
    _exit(exit_no_memory);
  };
  try {
    if (std::current_exception()) throw;
    // On its way out of a function that promises to throw nothing; libstdc++ has some that allocate (directory_iterator).
    if (std::uncaught_exceptions() > 0) out_of_memory();
  } catch (const std::bad_alloc&) { out_of_memory(); } catch (...) {
  }
  end_of_others();  // names the exception and aborts
  std::abort();
}

/// Before what other files make before main.
[[gnu::constructor(101)]] void catch_what_nobody_catches() { end_of_others = std::set_terminate(end_uncaught); }

std::string program_name(const char* path) { return fs::path(path).filename().string(); }

/// Names of all options of a program and of the sub-command in use, for suggestions.
void collect_options(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  for (const CLI::App* sub : app.get_subcommands({}))
    if (sub->parsed()) collect_options(*sub, names);
}

std::string usage_message(const CLI::App& app, const CLI::ParseError& error) {
  std::string text = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error)) {
    std::vector<std::string> names, given = app.remaining(true);
    collect_options(app, names);
    for (const CLI::App* sub : app.get_subcommands({})) names.push_back(sub->get_name());
    text = "unknown argument";
    for (const std::string& word : given) {
      const std::string bare = word.substr(0, word.find('='));
      text += " " + shell_quoted(word) + did_you_mean(bare, names);
      if (word.size() > 1 && word[0] == '-') break;  // what follows is its value
    }
  }
  return text + "; --help lists what is understood";
}

}  // namespace

int exit_code_of_current_exception(std::string& message) {
  try {
    throw;
  } catch (const engine::MissingInput& e) {
    message = e.what();
    return exit_no_input;
  } catch (const engine::IoError& e) {
    message = e.what();
    return exit_io;
  } catch (const engine::DataError& e) {
    message = e.what();
    return exit_bad_data;
  } catch (const engine::UsageError& e) {
    message = e.what();
    return exit_usage;
  } catch (const engine::DeviceError& e) {
    message = e.what();
    return exit_no_device;
  } catch (const engine::OutOfMemory& e) {
    message = e.what();
    return exit_no_memory;
  } catch (const engine::InUse& e) {
    message = e.what();
    return exit_in_use;
  } catch (const engine::NonFiniteError& e) {
    message = e.what();
    return exit_not_finite;
  } catch (const Stopped&) {
    message = "stopped before there was anything to save";
    return stop_exit_code();
  } catch (const std::bad_alloc&) {
    message =
        "no memory is left: use fewer or smaller images (in training also a smaller batch or patch), or a machine "
        "with more";
    return exit_no_memory;
  } catch (const fs::filesystem_error& e) {
    message = e.what();
    return exit_io;
  } catch (const std::system_error& e) {
    const bool threads = e.code() == std::errc::resource_unavailable_try_again;
    message =
        threads ? "the system starts no more threads: ask for fewer with --threads, or allow more (ulimit -u)" : e.what();
    return threads ? exit_no_memory : exit_io;
  } catch (const std::exception& e) {
    message = fmt::format("internal: {}", e.what());
    return exit_internal;
  }
}

int stop_exit_code() { return stop_signal() == SIGTERM ? exit_terminated : exit_interrupted; }

int run_program(CLI::App& app, int argc, char** argv, const std::string& examples, const std::function<int()>& body) {
  const std::string name = program_name(argv[0]);
  app.name(name);
  app.set_version_flag("--version", std::string("sagcl ") + version());
  app.footer("Examples:\n" + examples + "\n" + exit_code_text);
  app.get_formatter()->column_width(34);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    app.exit(e);
    return exit_ok;
  } catch (const CLI::ParseError& e) {
    print_error(name, usage_message(app, e));
    return exit_usage;
  }
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow (ulimit -f) is a write that fails, and says so
  try {
    const int code = body();
    if (std::fflush(stdout) != 0) engine::fail<engine::IoError>("the results could not be written to standard output");
    return code;
  } catch (...) {
    std::string message;
    const int code = exit_code_of_current_exception(message);
    print_error(name, message);
    return code;
  }
}

bool use_colour(std::FILE* stream) {
  if (const char* force = std::getenv("FORCE_COLOR"); force && *force) return true;
  if (const char* no = std::getenv("NO_COLOR"); no && *no) return false;
  const char* term = std::getenv("TERM");
  return isatty(fileno(stream)) && term && std::string(term) != "dumb";
}

void be_silent() {
  silent = true;
  if (!std::freopen("/dev/null", "w", stdout)) engine::fail<engine::IoError>("/dev/null cannot be opened");
}

void put(std::FILE* out, const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), out) == text.size()) std::fflush(out);
}

void print_error(const std::string& program, const std::string& message) {
  const bool colour = use_colour(stderr);
  put(stderr, fmt::format("{}: {}error:{} {}\n", program, colour ? "\033[31;1m" : "", colour ? "\033[0m" : "",
                          datasets::printable_lines(message)));
}

void say(const std::string& message) {
  if (!silent) put(stderr, datasets::printable_lines(message) + "\n");
}

void print_result(const std::string& text) {
  const bool whole = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  engine::require<engine::IoError>(whole, "the results could not be written to standard output");
}

void say_next(const std::string& command) { say("next: " + command); }

void require_folder(const fs::path& folder, const std::string& option) {
  std::error_code e;
  if (fs::is_directory(folder, e)) return;
  engine::require<engine::UsageError>(!fs::exists(folder, e), "{} {}: this is not a folder", option, folder.string());
  engine::fail<engine::MissingInput>("{} {}: there is no such folder", option, folder.string());
}

void require_file(const fs::path& file, const std::string& option) {
  std::error_code e;
  if (fs::is_regular_file(file, e)) return;
  engine::require<engine::UsageError>(!fs::exists(file, e), "{} {}: this is not a file", option, file.string());
  engine::fail<engine::MissingInput>("{} {}: there is no such file", option, file.string());
}

void make_folder(const fs::path& folder) {
  std::error_code e;
  fs::create_directories(folder, e);
  engine::require<engine::IoError>(fs::is_directory(folder), "{}: the folder cannot be created ({})", folder.string(),
                                   e ? e.message() : "a file of this name exists");
}

namespace {

/// Edit distance with swaps of neighbours counted as one (optimal string alignment).
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

}  // namespace

std::string closest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t least = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    std::size_t d = distance(word, candidate);
    if (const auto dot = candidate.rfind('.'); dot != std::string::npos && word.find('.') == std::string::npos)
      d = std::min(d, distance(word, candidate.substr(dot + 1)));
    if (d < least) least = d, best = candidate;
  }
  return best;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string best = closest(word, candidates);
  return best.empty() ? "" : " (did you mean " + best + "?)";
}

std::string size_text(std::size_t bytes) {
  const double mib = double(bytes) / (1 << 20);
  return mib >= 1024 ? fmt::format("{:.1f} GiB", mib / 1024) : fmt::format("{:.{}f} MiB", mib, mib < 10 ? 1 : 0);
}

double peak_resident_mib() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return double(use.ru_maxrss) / 1024;
}

std::string shell_quoted(const std::string& argument) {
  const std::string plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
  if (!argument.empty() && argument.find_first_not_of(plain) == std::string::npos) return argument;
  std::string quoted = "'";
  for (char c : argument) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace sagcl::tools
