#pragma once
#include <charconv>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sagcl::datasets {

/// A small text file (lists, dataset.json, list.tsv): at most 64 MiB, without the mark of UTF-8 that some editors put in
/// front. DataError for text in UTF-16, which nothing here reads, and as engine::read_file.
std::string read_text(const std::filesystem::path& file);

/// A file's name as it may stand in JSON, tables and names of results: bytes that are no UTF-8 and control characters become
/// "%E9"; valid text stays as it is. Names from archives of other systems are often not UTF-8.
std::string printable(std::string_view name);

/// Likewise a message of several lines: what was read in a file may hold bytes that tell a terminal what to do.
std::string printable_lines(std::string_view text);

/// The number of type T that the whole text is, without blanks or a '+'.
template <class T>
std::optional<T> number_in(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// With the letters A to Z small.
std::string lower(std::string_view text);

/// "1 channel", "3 channels".
std::string counted(std::int64_t count, std::string_view what);

/// "a, b, c and 7 more": at most so many by name.
std::string some_of(const std::vector<std::string>& names, std::size_t most = 5);

}  // namespace sagcl::datasets
