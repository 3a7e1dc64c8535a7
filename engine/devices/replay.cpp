#include "engine/devices/replay.h"

#include "engine/devices/allocator.h"
#include "engine/devices/buffer.h"
#include "engine/devices/device_registry.h"
#include "engine/devices/device_runtime.h"
#include "engine/error.h"

namespace sagcl::engine {
namespace {

/// Keys in device memory, with how each was reached: the same draws from another root fill it anew.
class KeyTable final : public KeyPlaces {
 public:
  explicit KeyTable(Device device) : device_(device), keys_(device, most * sizeof(RandomKey)) {}

  const RandomKey* place(const std::vector<std::uint64_t>& forks, std::uint64_t number) override {
    require<UsageError>(draws_.size() < most, "recorded work may draw {} keys", most);
    draws_.push_back({forks, number});
    return static_cast<const RandomKey*>(keys_.data()) + draws_.size() - 1;
  }

  void fill(const Generator& root) {
    std::vector<RandomKey> keys;
    for (const Draw& draw : draws_) {
      Generator stream = root;
      for (std::uint64_t index : draw.forks) stream = stream.fork(index);
      keys.push_back(stream.key(draw.number));
    }
    runtime(device_).copy_from_host(keys_.data(), keys.data(), keys.size() * sizeof(RandomKey));
  }

 private:
  static constexpr std::size_t most = 256;
  struct Draw {
    std::vector<std::uint64_t> forks;
    std::uint64_t number;
  };
  Device device_;
  Buffer keys_;
  std::vector<Draw> draws_;
};

}  // namespace

class Replay::Recorded {
 public:
  Recorded(Device device, const Generator& random, const std::function<void(const Generator&)>& work)
      : arena_(allocator(device)), keys_(device) {
    const Arena::Use use(arena_);
    work_ = runtime(device).record([&] { work(random.reading(keys_)); });
  }
  bool ready() const { return work_ != nullptr; }  ///< false where the device cannot record
  void run(const Generator& random) {
    keys_.fill(random);
    work_->run();
  }

 private:
  Arena arena_;
  KeyTable keys_;
  std::unique_ptr<Recording> work_;
};

Replay::Replay(Device device, bool enabled) : device_(device), enabled_(enabled) {}
Replay::~Replay() = default;

void Replay::run(const Generator& random, const std::function<void(const Generator&)>& work) {
  if (enabled_ && ran_ && !recorded_) {
    allocator(device_).empty_cache();  // room for the arena
    recorded_ = std::make_unique<Recorded>(device_, random, work);
  }
  ran_ = true;
  if (recorded_ && recorded_->ready()) recorded_->run(random);
  else work(random);
}

}  // namespace sagcl::engine
