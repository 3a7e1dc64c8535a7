#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tools/programs/protobuf.h"

namespace sagcl::tools {

// What TensorBoard reads: records of the TFRecord format that hold tensorflow.Event messages (event.proto, summary.proto).
// Times are seconds since 1970.

/// The record that every file begins with.
std::string event_file_head(double time);

/// Tells TensorBoard that a run goes on: it forgets what the records before say of `step` and later ones.
std::string session_start(std::int64_t step, double time);

/// What is known of one step, by tag.
class EventSummary {
 public:
  void scalar(const std::string& tag, double number);  ///< nothing if it is not finite
  /// Of the values that are finite, in 40 equal parts of their range.
  void histogram(const std::string& tag, std::span<const double> values);
  void image(const std::string& tag, const std::string& png, std::int64_t height, std::int64_t width);
  std::string record(std::int64_t step, double time) const;  ///< empty if there is nothing

 private:
  Message all_;
};

/// A record: length, checksum of the length, content, checksum of the content.
std::string event_record(std::string_view content);

/// CRC-32C (Castagnoli), RFC 3720 B.4.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace sagcl::tools
