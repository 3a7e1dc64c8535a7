#include "engine/parallel.h"

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "engine/error.h"

namespace sagcl::engine {
namespace {

thread_local bool inside_part = false;

/// A pause of some tens of cycles while spinning.
void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}
constexpr int short_spins = 2000;  // about 30 microseconds: loops that follow each other closely need no wake-up

/// One loop being worked on: threads take parts until none is left.
struct Job {
  const std::function<void(std::int64_t)>* part = nullptr;
  std::int64_t parts = 0;
  std::atomic<std::int64_t> next{0}, unfinished{0};
  std::mutex mutex;
  std::exception_ptr failure;

  void work() {
    inside_part = true;
    for (std::int64_t p; (p = next.fetch_add(1)) < parts;) {
      try {
        (*part)(p);
      } catch (...) {
        std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
      if (unfinished.fetch_sub(1) == 1) unfinished.notify_all();
    }
    inside_part = false;
  }
};

/// Threads that sleep until there is a job, after a short spin.
class Pool {
 public:
  /// With as many threads as the system starts, if it starts one: the results do not depend on their number.
  explicit Pool(int workers) {
    for (int i = 0; i < workers; ++i) try {
        threads_.emplace_back([this] { serve(); });
      } catch (const std::system_error&) {
        if (i == 0) throw;
        std::fprintf(stderr, "sagcl: the system starts %d of %d threads; the work goes on with these\n", i + 1, workers + 1);
        return;
      }
  }
  ~Pool() {
    {
      std::lock_guard lock(mutex_);
      ended_ = true, ++generation_;
    }
    wake_.notify_all();
    for (std::thread& t : threads_) t.join();
  }
  Pool(const Pool&) = delete;

  void run(std::int64_t parts, const std::function<void(std::int64_t)>& part) {
    auto job = std::make_shared<Job>();
    job->part = &part, job->parts = parts;
    job->unfinished = parts;
    {
      std::lock_guard lock(mutex_);
      job_ = job;
      ++generation_;
    }
    wake_.notify_all();
    job->work();
    for (std::int64_t left; (left = job->unfinished.load()) > 0;) {
      for (int spin = 0; spin < short_spins && job->unfinished.load(std::memory_order_relaxed) > 0; ++spin) relax();
      if (job->unfinished.load() > 0) job->unfinished.wait(left);
    }
    if (job->failure) std::rethrow_exception(job->failure);
  }

 private:
  void serve() {
    std::uint64_t seen = 0;
    for (;;) {
      for (int spin = 0; spin < short_spins && generation_.load(std::memory_order_relaxed) == seen; ++spin) relax();
      std::shared_ptr<Job> job;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load() != seen; });
        if (ended_) return;
        seen = generation_;
        job = job_;
      }
      job->work();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<Job> job_;
  std::atomic<std::uint64_t> generation_{0};
  bool ended_ = false;
  std::vector<std::thread> threads_;
};

std::atomic<int>& setting() {
  static std::atomic<int> n{int(std::max(1u, std::thread::hardware_concurrency()))};
  return n;
}

const std::thread::id first_thread = std::this_thread::get_id();

/// A thread's pool ends with it. That of the first thread is left alone: it ends with the process, whose way out is not to
/// wait for anybody.
struct OwnPool {
  std::unique_ptr<Pool> pool;
  int workers = -1;
  ~OwnPool() {
    if (std::this_thread::get_id() == first_thread) (void)pool.release();
  }
};

/// One pool for each caller that works in parallel: the training thread and the one that prepares batches do not wait for
/// each other.
Pool& pool(int workers) {
  thread_local OwnPool mine;
  if (mine.workers != workers) mine.pool = std::make_unique<Pool>(workers), mine.workers = workers;
  return *mine.pool;
}

}  // namespace

int threads() { return inside_part ? 1 : setting().load(); }

void set_threads(int n) {
  require<UsageError>(n >= 1, "the number of threads must be at least 1, got {}", n);
  setting() = n;
}

void run_parts(std::int64_t parts, const std::function<void(std::int64_t)>& part) {
  const int workers = threads() - 1;
  if (parts <= 1 || workers <= 0) {
    for (std::int64_t p = 0; p < parts; ++p) part(p);
    return;
  }
  pool(workers).run(parts, part);
}

}  // namespace sagcl::engine
