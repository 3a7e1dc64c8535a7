#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "semiagcl/settings/settings.h"

namespace sagcl::tools {

/// The presets that come with the program, by name ("hippocampus", "glands", "la", …), from the folder presets/ beside the
/// binary, in the source tree or in share/sagcl.
std::vector<std::string> preset_names();
std::filesystem::path preset_file(const std::string& name);  ///< UsageError listing the names, with the nearest one
void apply_preset(semiagcl::RunSettings& settings, const std::string& name);

/// Applies a TOML file or text to settings. `name` stands in messages. UsageError with line, the unknown or ill-typed
/// key and the nearest known one. "method.preset" is applied before the other keys of [method],
/// and keeps what earlier files and flags set by hand. Former names of keys, and former values, are understood. Returns the
/// keys that the text gave another value.
std::vector<std::string> apply_toml(semiagcl::RunSettings& settings, const std::string& text, const std::string& name);

/// The settings that a file of a run holds, its config.toml or a checkpoint's note; DataError where apply_toml throws, since
/// the command line is right and the file is not.
semiagcl::RunSettings settings_in(const std::string& text, const std::string& name);

/// Applies "key=value", as given to --set. Lists are written 32,48,32, or as to_toml prints them: [32, 48, 32], ["H", "W"].
/// Returns the key.
std::string apply_assignment(semiagcl::RunSettings& settings, const std::string& assignment);

/// "warning: mix.box is not read by method supervised": of these keys, those that the settings' method has no use for;
/// empty if it reads all.
std::string warning_of_unread(const semiagcl::RunSettings& settings, const std::vector<std::string>& keys);

/// UsageError for values that cannot work together (steps < 1, a patch not divisible by 16, windows with gaps between
/// them, …) or that config.toml cannot hold (text that is not UTF-8).
void check(const semiagcl::RunSettings& settings);

/// The resolved configuration as TOML that apply_toml reads back to the same settings; `explained`: what each setting means
/// above it, what it may be, and whether the method reads it.
std::string to_toml(const semiagcl::RunSettings& settings, bool explained = false);

/// `run` with those settings of `now` that may change when it goes on, since no bit of the training depends on them:
/// evaluation.*, debug.*, data.folder (split.json has the hashes), train.replay, expectation.
semiagcl::RunSettings with_what_may_change(semiagcl::RunSettings run, const semiagcl::RunSettings& now);

/// "key: a | b" for every key whose value differs, one a line; empty when equal.
std::string differences(const semiagcl::RunSettings& a, const semiagcl::RunSettings& b);

}  // namespace sagcl::tools
