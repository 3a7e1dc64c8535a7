#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "engine/tensor.h"

namespace sagcl::engine {

/// Named tensors and text notes, the content of a safetensors file (https://github.com/huggingface/safetensors):
/// 8 bytes little-endian header size, a JSON header, then the raw elements without gaps.
struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> notes;  ///< "__metadata__"
};

/// Reads and checks a whole file: header size, duplicate names, dtypes, extents, overlaps, holes and the file's end.
/// F32, F64, I32, U8 are read as they are, I64 as i32 (values beyond 32 bits are refused), BF16 and F16 widened to f32,
/// BOOL as u8. Throws DataError naming the file and the first thing that is wrong.
TensorFile read_safetensors(const std::filesystem::path& file);

/// The same, but the tensors that are stored as they are used lie in the file, which is read when they are touched
/// (mapped_file.h).
TensorFile map_safetensors(const std::filesystem::path& file);

/// The same from and to memory; `source` stands for the file in messages.
TensorFile parse_safetensors(const std::string& bytes, const std::string& source);
std::string safetensors_bytes(const TensorFile& content);

/// Writes atomically: temporary file in the same folder, fsync, rename, fsync of the folder. On failure the file that
/// was there before is untouched, and DataError says what the system reported.
void write_safetensors(const std::filesystem::path& file, const TensorFile& content);

}  // namespace sagcl::engine
