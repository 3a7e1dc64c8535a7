#pragma once
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/error.h"

namespace CLI {
class App;  // programs include <CLI/CLI.hpp>; what only prints or checks need not wait for it
}

/// What all programs share: exit codes, one clear message on stderr, results on stdout, spelling suggestions.
namespace sagcl::tools {

/// What a program's exit status says; the list that every --help ends with. Numbers above 64 follow BSD's sysexits.
enum ExitCode : int {
  exit_ok = 0,
  exit_internal = 1,    ///< a mistake of ours
  exit_usage = 2,       ///< command line or configuration
  exit_bad_data = 65,   ///< a file whose content is unusable
  exit_no_input = 66,   ///< a file or folder that is not there
  exit_no_device = 69,  ///< the device asked for is not available
  exit_no_memory = 71,
  exit_io = 74,            ///< reading or writing failed, e.g. a full disk
  exit_in_use = 75,        ///< another process writes the run folder; later it may be free
  exit_not_finite = 76,    ///< training stopped at a NaN or infinity
  exit_interrupted = 130,  ///< Ctrl-C; what was done is saved
  exit_terminated = 143,   ///< SIGTERM; what was done is saved
};

/// The exit code for the exception being handled. Call it inside a catch block; `message` becomes its text.
int exit_code_of_current_exception(std::string& message);

/// 143 where SIGTERM asked to stop, 130 for the others.
int stop_exit_code();

/// Parses the command line, runs `body` and returns the exit code. Exceptions become one message on stderr. Adds --version
/// and, at the end of --help, `examples` and the exit codes. Unknown options are errors with a suggestion.
int run_program(CLI::App& app, int argc, char** argv, const std::string& examples, const std::function<int()>& body);

/// True if colours may be used on this stream: a terminal, NO_COLOR unset, TERM not "dumb"; FORCE_COLOR overrides.
bool use_colour(std::FILE* stream);

/// Writes and forgets: what cannot be told (a full disk, a reader that has gone) must not end what is done.
void put(std::FILE* out, const std::string& text);
/// To standard output, at once; IoError if that cannot be.
void print_result(const std::string& text);

/// A message for the person at the terminal: one line on stderr. Results go to stdout.
void say(const std::string& message);

/// From now on say() and stdout go nowhere: this process is one of many that do the same.
void be_silent();

/// "PROGRAM: error: MESSAGE" on stderr.
void print_error(const std::string& program, const std::string& message);

/// Ends a program's messages with the command that usually follows.
void say_next(const std::string& command);

/// Throws MissingInput (exit code 66) unless the folder or file exists; `option` says where it was asked for.
void require_folder(const std::filesystem::path& folder, const std::string& option);
void require_file(const std::filesystem::path& file, const std::string& option);

/// Creates a folder and those above it; IoError (exit code 74) if that is impossible.
void make_folder(const std::filesystem::path& folder);

/// The candidate most like `word`: fewest insertions, deletions, replacements and swaps of neighbours (Damerau, restricted).
/// Empty if none is close, i.e. more than a third of the letters differ. A dotted candidate is also compared by its last
/// part.
std::string closest(const std::string& word, const std::vector<std::string>& candidates);

/// "(did you mean X?)" with a leading blank, or nothing.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

/// "0.3 MiB", "120 MiB", "3.4 GiB".
std::string size_text(std::size_t bytes);

/// Highest resident memory of this process so far, in MiB.
double peak_resident_mib();

/// An argument as it must be typed in a shell: quoted if needed.
std::string shell_quoted(const std::string& argument);

}  // namespace sagcl::tools
