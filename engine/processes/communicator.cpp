#include "engine/processes/communicator.h"

#include <algorithm>
#include <cstdlib>

#include "engine/devices/device_registry.h"

namespace sagcl::engine {
namespace {

class Alone final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  int local_rank() const override { return 0; }
  int local_size() const override { return 1; }
  void all_gather(void*, std::size_t, Device) override {}
  void all_to_all(const void* send, void* receive, std::size_t bytes, Device device) override {
    runtime(device).copy_within(receive, send, bytes);
  }
  void abort(int code) override { std::_Exit(code); }
};

}  // namespace

Communicator& alone() {
  static Alone world;
  return world;
}

std::vector<std::string> gather(Communicator& ranks, const std::string& mine) {
  if (ranks.size() == 1) return {mine};
  const auto size = std::size_t(ranks.size()), rank = std::size_t(ranks.rank());
  std::vector<std::uint64_t> lengths(size);
  lengths[rank] = mine.size();
  ranks.all_gather(lengths.data(), sizeof lengths[0], Device::cpu());
  const std::size_t longest = *std::max_element(lengths.begin(), lengths.end());
  std::string all(size * longest, '\0');
  mine.copy(all.data() + rank * longest, mine.size());
  ranks.all_gather(all.data(), longest, Device::cpu());
  std::vector<std::string> texts;
  for (std::size_t r = 0; r < size; ++r) texts.push_back(all.substr(r * longest, lengths[r]));
  return texts;
}

bool any(Communicator& ranks, bool mine) {
  std::vector<char> all(std::size_t(ranks.size()));
  all[std::size_t(ranks.rank())] = mine;
  ranks.all_gather(all.data(), 1, Device::cpu());
  return std::find(all.begin(), all.end(), 1) != all.end();
}

void wait_for_all(Communicator& ranks) { any(ranks, false); }

}  // namespace sagcl::engine
