#include "tools/inspect/leaks.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "autograd/tape.h"
#include "engine/devices/device_registry.h"
#include "engine/operation_name.h"
#include "tools/programs/json_text.h"
#include "tools/programs/text_table.h"

namespace sagcl::tools {
namespace {

/// The blocks that were handed out while it exists and are not back yet.
class LiveBlocks final : public engine::AllocationListener {
 public:
  struct Block {
    std::size_t bytes;
    std::int64_t step;
    std::string place;
  };
  explicit LiveBlocks(engine::CachingAllocator& allocator) : allocator_(allocator) { allocator_.listen(this); }
  ~LiveBlocks() override { allocator_.listen(nullptr); }
  void allocated(void* memory, std::size_t bytes) override {
    const std::string module = autograd::Scope::path();
    live_[memory] = {bytes, step, engine::OperationName::current() + (module.empty() ? "" : " in " + module)};
  }
  void released(void* memory) override { live_.erase(memory); }
  const std::unordered_map<void*, Block>& live() const { return live_; }
  std::int64_t step = 0;

 private:
  engine::CachingAllocator& allocator_;
  std::unordered_map<void*, Block> live_;  // the allocator calls under its lock
};

}  // namespace

std::vector<Leak> find_leaks(engine::Device device, std::int64_t steps, const std::function<void()>& step) {
  engine::require<engine::UsageError>(steps >= 4, "leaks are looked for over 4 steps or more, not {}", steps);
  std::map<std::string, Leak> by_place;
  {
    LiveBlocks blocks(engine::allocator(device));
    for (blocks.step = 0; blocks.step < steps; ++blocks.step) step();
    engine::runtime(device).synchronize();
    const std::int64_t half = steps / 2;
    std::map<std::string, std::map<std::int64_t, int>> from;
    for (const auto& [memory, block] : blocks.live())
      if (block.step < half) {
        Leak& leak = by_place[block.place];
        leak.place = block.place, leak.blocks += 1 / double(half), leak.bytes += double(block.bytes) / double(half);
        ++from[block.place][block.step];
      }
    // What a first step makes and keeps (a workspace, a table) is no leak.
    std::erase_if(by_place, [&](const auto& entry) { return from[entry.first].size() < 2; });
  }
  std::vector<Leak> all;
  for (auto& [place, leak] : by_place) all.push_back(std::move(leak));
  std::sort(all.begin(), all.end(), [](const Leak& a, const Leak& b) { return a.bytes > b.bytes; });
  return all;
}

std::string leak_text(const std::vector<Leak>& leaks, std::int64_t steps) {
  if (leaks.empty()) return fmt::format("{} steps gave back all that they asked for\n", steps);
  TextTable table({"not given back", "blocks a step", "bytes a step"});
  for (const Leak& leak : leaks)
    table.row({leak.place, fmt::format("{:.1f}", leak.blocks), fmt::format("{:.0f}", leak.bytes)});
  return table.text();
}

std::string leak_json(const std::vector<Leak>& leaks, std::int64_t steps) {
  nlohmann::ordered_json json = {{"schema_version", 1}, {"steps", steps}, {"leaks", nlohmann::ordered_json::array()}};
  for (const Leak& leak : leaks)
    json["leaks"].push_back({{"place", leak.place}, {"blocks", leak.blocks}, {"bytes", leak.bytes}});
  return json_text(json, 1) + "\n";
}

}  // namespace sagcl::tools
