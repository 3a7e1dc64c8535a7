#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace sagcl::tools {

// What TensorBoard reads: records of the TFRecord format that hold tensorflow.Event messages. The file says what
// metrics.jsonl says and nothing else, so that a run that goes on writes it anew from the lines that still hold.

constexpr const char* event_file_name =
    "events.out.tfevents.0.sagcl";  ///< in the run folder; TensorBoard looks for "tfevents"

/// The record that every file begins with. `time`: seconds since 1970, as in the next.
std::string event_file_head(double time);

/// A line of metrics.jsonl as records: scalars "loss/all", "loss/sup", "train/lr", "dice/validation/student",
/// "gradient/sup/enc0.0", …; nothing for notes and for numbers that are not finite. DataError, beginning with
/// "metrics.jsonl", if it is no such line.
std::string event_records(const std::string& line, double time);

/// A record: length, checksum of the length, content, checksum of the content.
std::string event_record(std::string_view content);

/// CRC-32C (Castagnoli), RFC 3720 B.4.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace sagcl::tools
