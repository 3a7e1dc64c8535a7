#include "datasets/formats/gzip.h"

#include <zlib.h>

#include <algorithm>

#include "engine/error.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::fail;
using engine::require;

namespace {

constexpr std::size_t piece = std::size_t(1) << 30;  // zlib counts in 32 bits

std::string compress(std::string_view bytes, int level, int window_bits) {
  z_stream z{};
  require<engine::BackendError>(deflateInit2(&z, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK,
                                "zlib: deflateInit2 failed");
  std::string out;
  char buffer[65536];
  for (std::size_t done = 0;;) {
    const std::size_t n = std::min(piece, bytes.size() - done);
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + done)), z.avail_in = uInt(n);
    done += n;
    const bool last = done == bytes.size();
    do {
      z.next_out = reinterpret_cast<Bytef*>(buffer), z.avail_out = sizeof buffer;
      deflate(&z, last ? Z_FINISH : Z_NO_FLUSH);
      out.append(buffer, sizeof buffer - z.avail_out);
    } while (z.avail_out == 0);
    if (last) break;
  }
  deflateEnd(&z);
  return out;
}

}  // namespace

struct Inflater::State {
  std::string_view input;
  std::size_t consumed = 0;  // handed to zlib
  Kind kind;
  std::string name;
  z_stream z{};
  bool ended = false;
};

Inflater::Inflater(std::string_view compressed, Kind kind, std::string name) : state_(std::make_unique<State>()) {
  state_->input = compressed, state_->kind = kind, state_->name = std::move(name);
  const int window_bits = kind == Kind::gzip ? 15 + 16 : 15;
  require<engine::BackendError>(inflateInit2(&state_->z, window_bits) == Z_OK, "zlib: inflateInit2 failed");
}

Inflater::~Inflater() { inflateEnd(&state_->z); }

std::size_t Inflater::read(char* to, std::size_t n) {
  State& s = *state_;
  std::size_t done = 0;
  while (done < n && !s.ended) {
    if (s.z.avail_in == 0) {
      const std::size_t more = std::min(piece, s.input.size() - s.consumed);
      s.z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(s.input.data() + s.consumed)), s.z.avail_in = uInt(more);
      s.consumed += more;
    }
    const std::size_t wanted = std::min(piece, n - done);
    s.z.next_out = reinterpret_cast<Bytef*>(to + done), s.z.avail_out = uInt(wanted);
    const int status = inflate(&s.z, Z_NO_FLUSH);
    const std::size_t got = wanted - s.z.avail_out;
    done += got;
    if (status == Z_STREAM_END) {
      const bool more = s.z.avail_in > 1 || s.consumed < s.input.size();
      // A gzip file may hold several members one after another; anything else behind the end is padding.
      const bool member =
          s.kind == Kind::gzip && more && s.z.next_in[0] == 0x1f && (s.z.avail_in < 2 || s.z.next_in[1] == 0x8b);
      if (member) inflateReset(&s.z);
      s.ended = !member;
    } else if (status == Z_OK || (status == Z_BUF_ERROR && got > 0)) {
      continue;
    } else if (status == Z_BUF_ERROR) {
      fail<DataError>("{}: the compressed data ends before its end mark (truncated file); copy or download it again",
                      s.name);
    } else {
      fail<DataError>("{}: the compressed data is damaged ({}); copy or download it again", s.name,
                      s.z.msg ? s.z.msg : zError(status));
    }
  }
  return done;
}

void Inflater::read_exactly(char* to, std::size_t n, std::string_view what) {
  const std::size_t got = read(to, n);
  require<DataError>(got == n, "{}: {} needs {} bytes, the compressed data holds only {}; copy or download the file again",
                     state_->name, what, n, got);
}

void Inflater::finish(std::size_t slack, const char* remedy) {
  char buffer[4096];
  for (std::size_t extra = 0; !state_->ended;) {
    extra += read(buffer, sizeof buffer);
    require<DataError>(extra <= slack, "{}: holds {} bytes more than its header declares; {}", state_->name,
                       state_->ended ? fmt::format("{}", extra) : fmt::format("at least {}", extra), remedy);
  }
}

std::string gzip(std::string_view bytes, int level) { return compress(bytes, level, 15 + 16); }
std::string deflate_zlib(std::string_view bytes, int level) { return compress(bytes, level, 15); }

std::uint32_t crc32_of(std::string_view bytes) {
  uLong crc = crc32(0, nullptr, 0);
  for (std::size_t done = 0; done < bytes.size();) {
    const std::size_t n = std::min(piece, bytes.size() - done);
    crc = crc32(crc, reinterpret_cast<const Bytef*>(bytes.data() + done), uInt(n));
    done += n;
  }
  return std::uint32_t(crc);
}

}  // namespace sagcl::datasets
