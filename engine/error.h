#pragma once
#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace sagcl::engine {

/// One exception type per kind of mistake. The text says which operation, which rule, and every value involved.
// clang-format off
struct Error : std::runtime_error { using std::runtime_error::runtime_error; };
struct ShapeError : Error { using Error::Error; };    ///< extents do not fit together
struct DtypeError : Error { using Error::Error; };    ///< wrong element type
struct DeviceError : Error { using Error::Error; };   ///< operands live in different places, or a device is unavailable
struct UsageError : Error { using Error::Error; };    ///< calls in an order, or options, that are not allowed
struct DataError : Error { using Error::Error; };     ///< a file or its content is unusable
struct MissingInput : DataError { using DataError::DataError; };  ///< the file or folder is not there
struct IoError : DataError { using DataError::DataError; };       ///< the system refused to read or write, e.g. a full disk
struct NonFiniteError : Error { using Error::Error; };            ///< a NaN or infinity where training must stop
struct BackendError : Error { using Error::Error; };  ///< a vendor library reported a failure
struct OutOfMemory : Error { using Error::Error; };   ///< the device has no room, even after the cache was emptied
struct InUse : Error { using Error::Error; };         ///< another process works on it: later it may be free
// clang-format on

/// Throws E with the formatted text.
template <class E = UsageError, class... Values>
[[noreturn]] void fail(fmt::format_string<Values...> text, Values&&... values) {
  throw E(fmt::format(text, std::forward<Values>(values)...));
}

/// Throws E with the formatted text unless `ok`. The text is only built on failure.
template <class E = ShapeError, class... Values>
void require(bool ok, fmt::format_string<Values...> text, Values&&... values) {
  if (!ok) [[unlikely]]
    fail<E>(text, std::forward<Values>(values)...);
}

}  // namespace sagcl::engine
