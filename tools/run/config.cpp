#include "tools/run/config.h"

#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <type_traits>
#include <utility>

#include "engine/files/read_file.h"
#include "semiagcl/baselines/registry.h"
#include "semiagcl/settings/setting_text.h"
#include "tools/programs/program.h"
#include "tools/run/meanings.h"

namespace sagcl::tools {
namespace {

using engine::fail;
using engine::require;
using engine::UsageError;
using semiagcl::RunSettings;

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t");
  return begin == std::string::npos ? "" : text.substr(begin, end + 1 - begin);
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size() && !text.empty()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(trimmed(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return parts;
}

// Text to field. A list holds values of one type.
template <class T>
void read(const std::string& key, const std::string& text, T& field) {
  require<UsageError>(semiagcl::read_value(text, field), "{} = '{}': expected {}", key, text, semiagcl::allowed(field));
}
void read(const std::string&, const std::string& text, std::string& field) { field = text; }
template <class T>
void read(const std::string& key, const std::string& text, std::vector<T>& field) {
  field.clear();
  for (const std::string& part : split_list(text)) read(key, part, field.emplace_back());
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (unsigned char c : text) {
    if (c < 32 || c == 127) {
      out += fmt::format("\\u{:04X}", unsigned(c));
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += char(c);
  }
  return out + "\"";
}

/// A value as typed behind --set, which may be copied from a printed configuration: without the quotes and brackets of TOML,
/// as far as the shell has left them.
std::string without_toml(const std::string& key, const std::string& typed) {
  const std::string text = trimmed(typed);
  const char first = text.empty() ? ' ' : text.front(), last = text.empty() ? ' ' : text.back();
  if (first == '[') {
    require<UsageError>(last == ']', "{} = '{}': the list has no end; write [16, 16, 16] or 16,16,16", key, typed);
    std::string items;
    for (const std::string& item : split_list(trimmed(text.substr(1, text.size() - 2))))
      items += (items.empty() ? "" : ",") + without_toml(key, item);
    return items;
  }
  if (text.size() < 2 || (first != '"' && first != '\'') || last != first) return typed;
  if (first == '\'') return text.substr(1, text.size() - 2);
  try {
    return toml::parse("value = " + text)["value"].value<std::string>().value_or(typed);
  } catch (const toml::parse_error& e) { fail<UsageError>("{} = {}: {}", key, text, e.description()); }
}

/// Field to TOML: numbers and truth values stand bare, words are quoted.
template <class T>
std::string shown(const T& v) {
  return std::is_arithmetic_v<T> ? semiagcl::text_of(v) : quoted(semiagcl::text_of(v));
}
template <class T>
std::string shown(const std::vector<T>& v) {
  std::string out = "[";
  for (std::size_t i = 0; i < v.size(); ++i) out += (i ? ", " : "") + shown(v[i]);
  return out + "]";
}

/// Every setting as key and TOML value, in order.
std::vector<std::pair<std::string, std::string>> all_settings(const RunSettings& s) {
  std::vector<std::pair<std::string, std::string>> all;
  semiagcl::for_each_run_setting(s, [&](const char* key, const auto& field) { all.emplace_back(key, shown(field)); });
  all.emplace_back("method.preset", quoted(s.method.preset));
  semiagcl::for_each_setting(
      s.method, [&](const char* key, const auto& field) { all.emplace_back(std::string("method.") + key, shown(field)); });
  return all;
}

/// Settings that had another name before; it is still understood, in files of earlier versions and behind --set, and the
/// resolved configuration notes it, so that a search for it finds the setting.
const std::map<std::string, std::string> former_names = {
    {"data.labeled", "data.labelled"}, {"data.labeled_pick", "data.labelled_pick"}, {"train.optimizer", "train.optimiser"}};

/// The same for values: what a setting that took true and false before takes now.
const std::map<std::string, std::map<std::string, std::string>> former_values = {
    {"augment.copy_paste", {{"true", "always"}, {"false", "never"}}},
    {"augment.strong_labelled", {{"true", "1"}, {"false", "0"}}}};

std::string current_value(const std::string& key, const std::string& text) {
  const auto setting = former_values.find(key);
  if (setting == former_values.end()) return text;
  const auto former = setting->second.find(text);
  return former == setting->second.end() ? text : former->second;
}

std::string current_name(const std::string& key) {
  const auto former = former_names.find(key);
  return former == former_names.end() ? key : former->second;
}

/// A line above a setting that had another name: "# formerly labeled:".
std::string note_on_name(const std::string& key) {
  for (const auto& [former, now] : former_names)
    if (now == key) return "# formerly " + former.substr(former.find('.') + 1) + ":\n";
  return "";
}

/// Sets one key from text. `where` begins the message, e.g. "run.toml:14: ".
void set(RunSettings& s, const std::string& key, const std::string& text, const std::string& where) try {
  if (key == "method.preset") {
    s.method = semiagcl::with_preset(s.method, text);
    return;
  }
  bool known = false;
  semiagcl::for_each_run_setting(s, [&](const char* name, auto& field) {
    if (key == name) known = true, read(key, current_value(key, text), field);
  });
  std::vector<std::string> names;
  for (const auto& [name, value] : all_settings(s)) names.push_back(name);
  if (!known && key.starts_with("method.") && std::find(names.begin(), names.end(), key) != names.end()) {
    semiagcl::set(s.method, key.substr(7), text);
    known = true;
  }
  require<UsageError>(known, "unknown key {}{}", key, did_you_mean(key, names));
} catch (const UsageError& e) { fail<UsageError>("{}{}", where, e.what()); }

std::string as_text(const toml::node& node, const std::string& key) {
  if (const auto v = node.value_exact<std::string>()) return *v;
  if (const auto v = node.value_exact<bool>()) return *v ? "true" : "false";
  if (const auto v = node.value_exact<std::int64_t>()) return std::to_string(*v);
  if (const auto v = node.value_exact<double>()) return fmt::format("{}", *v);
  const toml::array* list = node.as_array();
  require<UsageError>(list, "{}: expected a value or a list", key);
  std::string text;
  for (const toml::node& item : *list) text += (text.empty() ? "" : ",") + as_text(item, key);
  return text;
}

struct Entry {
  std::string key, text, where;
};

void flatten(const toml::table& table, const std::string& prefix, const std::string& name, std::vector<Entry>& entries) {
  for (const auto& [key, node] : table) {
    const std::string full = prefix + std::string(key.str());
    if (const toml::table* inner = node.as_table()) flatten(*inner, full + ".", name, entries);
    else entries.push_back({full, as_text(node, full), fmt::format("{}:{}: ", name, node.source().begin.line)});
  }
}

std::vector<std::filesystem::path> preset_folders() {
  std::vector<std::filesystem::path> folders;
  char self[4096];
  const ssize_t n = ::readlink("/proc/self/exe", self, sizeof self - 1);
  if (n > 0) {
    const std::filesystem::path bin = std::filesystem::path(std::string(self, std::size_t(n))).parent_path();
    folders = {bin / "presets", bin.parent_path() / "share/sagcl/presets"};
  }
  folders.push_back(SAGCL_PRESETS_DIR);
  return folders;
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& folder : preset_folders()) {
    std::error_code missing;
    for (const auto& entry : std::filesystem::directory_iterator(folder, missing))
      if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
    if (!names.empty()) break;
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::filesystem::path preset_file(const std::string& name) {
  for (const auto& folder : preset_folders())
    if (std::filesystem::exists(folder / (name + ".toml"))) return folder / (name + ".toml");
  const std::vector<std::string> names = preset_names();
  fail<UsageError>("unknown preset '{}'{}; there are: {}", name, did_you_mean(name, names), fmt::join(names, ", "));
}

void apply_preset(RunSettings& settings, const std::string& name) {
  const std::filesystem::path file = preset_file(name);
  settings.preset = name;
  apply_toml(settings, engine::read_file(file), file.string());
}

std::vector<std::string> apply_toml(RunSettings& settings, const std::string& text, const std::string& name) {
  std::vector<Entry> entries;
  try {
    flatten(toml::parse(text, name), "", name, entries);
  } catch (const toml::parse_error& e) { fail<UsageError>("{}:{}: {}", name, e.source().begin.line, e.description()); }
  std::stable_partition(entries.begin(), entries.end(), [](const Entry& e) { return e.key == "method.preset"; });
  std::vector<std::string> changed;
  for (const Entry& e : entries) {
    const auto before = all_settings(settings);
    const std::string key = current_name(e.key);
    set(settings, key, e.text, e.where);
    if (all_settings(settings) != before) changed.push_back(key);
  }
  return changed;
}

RunSettings settings_in(const std::string& text, const std::string& name) try {
  RunSettings settings;
  apply_toml(settings, text, name);
  return settings;
} catch (const UsageError& e) { fail<engine::DataError>("{}", e.what()); }

std::string apply_assignment(RunSettings& settings, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  require<UsageError>(equals != std::string::npos && equals > 0, "--set {}: expected key=value, e.g. --set train.steps=1000",
                      assignment);
  const std::string key = current_name(assignment.substr(0, equals));
  set(settings, key, without_toml("--set " + key, assignment.substr(equals + 1)), "--set ");
  return key;
}

std::string warning_of_unread(const RunSettings& settings, const std::vector<std::string>& keys) {
  std::vector<std::string> unread;
  for (const std::string& key : keys)
    if (!semiagcl::method_reads(settings, key) && std::find(unread.begin(), unread.end(), key) == unread.end())
      unread.push_back(key);
  if (unread.empty()) return "";
  return fmt::format("warning: {} {} not read by method {}", fmt::join(unread, ", "), unread.size() == 1 ? "is" : "are",
                     settings.train.method);
}

namespace {

/// The words of a setting as comments in front of it.
std::string explanation(const RunSettings& settings, const std::string& key) {
  std::string words = meaning_of(key);
  semiagcl::for_each_setting(settings.method, [&](const char* name, const auto& field) {
    if constexpr (std::is_enum_v<std::remove_cvref_t<decltype(field)>>)
      if (key == std::string("method.") + name) words += fmt::format(" ({})", fmt::join(semiagcl::names(field), ", "));
  });
  if (!semiagcl::method_reads(settings, key)) words += fmt::format(" (not read by {})", settings.train.method);
  std::string text, line = "#", word;
  for (std::istringstream in(words); in >> word; line += " " + word)
    if (line.size() + word.size() > 110) text += std::exchange(line, "#") + "\n";
  return text + line + "\n";
}

}  // namespace

std::string to_toml(const RunSettings& settings, bool explained) {
  std::string text = "# Resolved configuration: read back with sagcl-train --config\n", section;
  for (const auto& [key, value] : all_settings(settings)) {
    const std::size_t dot = key.find('.');
    if (dot == std::string::npos) {
      text += fmt::format("{}{} = {}\n", explained ? explanation(settings, key) : "", key, value);
      continue;
    }
    if (key.substr(0, dot) != section) text += fmt::format("\n[{}]\n", section = key.substr(0, dot));
    if (explained) text += explanation(settings, key);
    text += fmt::format("{}{} = {}\n", note_on_name(key), key.substr(dot + 1), value);
  }
  return text;
}

RunSettings with_what_may_change(RunSettings run, const RunSettings& now) {
  run.evaluation = now.evaluation;
  run.debug = now.debug;
  run.data.folder = now.data.folder;
  run.data.cache = now.data.cache, run.data.memory = now.data.memory, run.data.workers = now.data.workers;
  run.train.replay = now.train.replay;
  if (run.train.storage == "f32") run.train.recompute = now.train.recompute;
  run.expectation = now.expectation;
  return run;
}

std::string differences(const RunSettings& a, const RunSettings& b) {
  const auto x = all_settings(a), y = all_settings(b);
  std::string text;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (x[i].second != y[i].second) text += fmt::format("{}: {} | {}\n", x[i].first, x[i].second, y[i].second);
  return text;
}

}  // namespace sagcl::tools
