#pragma once
#include <algorithm>
#include <type_traits>

#include "datasets/text.h"
#include "semiagcl/settings/config.h"

/// The value of a setting as text, for every type that is one value: how it is read, what it takes, how it is written.
namespace sagcl::semiagcl {

/// Reads a value; false where the text is none, and then v stays.
template <class T>
bool read_value(const std::string& text, T& v) {
  if constexpr (std::is_enum_v<T>) {
    const auto& list = names(v);
    const auto found = std::find(list.begin(), list.end(), text);
    if (found == list.end()) return false;
    v = T(found - list.begin());
    return true;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (text != "true" && text != "false") return false;
    v = text == "true";
    return true;
  } else if constexpr (std::is_same_v<T, Extents>) {
    const std::size_t a = text.find('x'), b = a == std::string::npos ? a : text.find('x', a + 1);
    if (b == std::string::npos) return false;
    Extents read;
    if (!read_value(text.substr(0, a), read[0]) || !read_value(text.substr(a + 1, b - a - 1), read[1]) ||
        !read_value(text.substr(b + 1), read[2]))
      return false;
    v = read;
    return true;
  } else {
    const std::optional<T> number = datasets::number_in<T>(text);
    v = number.value_or(v);
    return number.has_value();
  }
}

/// "one of l2, l1, none", "a number", …
template <class T>
std::string allowed(const T& v) {
  if constexpr (std::is_enum_v<T>) return fmt::format("one of {}", fmt::join(names(v), ", "));
  else if constexpr (std::is_same_v<T, bool>) return "true or false";
  else if constexpr (std::is_same_v<T, Extents>) return "three numbers like 2x2x2";
  else if constexpr (std::is_floating_point_v<T>) return "a number";
  else return "a whole number";
}

template <class T>
std::string text_of(const T& v) {
  if constexpr (std::is_enum_v<T>) return names(v)[std::size_t(v)];
  else if constexpr (std::is_same_v<T, Extents>) return engine::to_string(v);
  else return fmt::format("{}", v);
}

}  // namespace sagcl::semiagcl
