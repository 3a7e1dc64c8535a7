#include "engine/devices/cpu_runtime.h"

#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "engine/devices/memory_limit.h"
#include "engine/parallel.h"

namespace sagcl::engine {
namespace {

/// Main memory. Large blocks start on a huge page, which saves most of the page faults and TLB misses.
class CpuRuntime final : public DeviceRuntime {
  static constexpr std::size_t huge_page = std::size_t(2) << 20;

 public:
  CpuRuntime() { mallopt(M_MMAP_THRESHOLD, int(huge_page)); }  // so that what is released goes back to the system
  void* allocate(std::size_t bytes) override {
    const std::size_t alignment = bytes >= huge_page ? huge_page : 64;
    void* memory = nullptr;
    if (posix_memalign(&memory, alignment, bytes) != 0) return nullptr;
    if (bytes >= huge_page) madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
  }
  void release(void* memory) override { std::free(memory); }
  Room room() const override {
    Room room;
    std::ifstream file("/proc/meminfo");  // lines like "MemAvailable:   1234 kB"
    std::string name, unit;
    for (std::size_t kib; file >> name >> kib && std::getline(file, unit);) {
      if (name == "MemTotal:") room.total = kib << 10;
      if (name == "MemAvailable:") room.free = kib << 10;
    }
    std::ifstream groups("/proc/self/cgroup");
    return with_limits(room, std::string(std::istreambuf_iterator<char>(groups), {}));
  }
  void copy_from_host(void* device, const void* host, std::size_t bytes) override { copy_within(device, host, bytes); }
  void copy_to_host(void* host, const void* device, std::size_t bytes) override { copy_within(host, device, bytes); }
  void copy_within(void* to, const void* from, std::size_t bytes) override {
    if (bytes != 0) std::memcpy(to, from, bytes);  // an empty std::vector has no address to give
  }
  void zero(void* memory, std::size_t bytes) override { std::memset(memory, 0, bytes); }
  void fill(void* memory, double value, Dtype dtype, std::int64_t n) override {
    visit_any(dtype, [&]<class T>(Type<T>) { std::fill_n(static_cast<T*>(memory), n, T(value)); });
  }
  void synchronize() override {}
  void add_into(void* sum, const void* term, Dtype dtype, std::int64_t n) override {
    visit_real(dtype, [&]<class T>(Type<T>) {
      T* y = static_cast<T*>(sum);
      const T* x = static_cast<const T*>(term);
      parallel_ranges(n, 1 << 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) y[i] = T(y[i] + x[i]);
      });
    });
  }
};

}  // namespace

DeviceRuntime& cpu_runtime() {
  static DeviceRuntime& r = *new CpuRuntime;
  return r;
}

}  // namespace sagcl::engine
