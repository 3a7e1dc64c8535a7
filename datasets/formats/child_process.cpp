#include "datasets/formats/child_process.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "engine/error.h"

namespace sagcl::datasets {

namespace {

[[noreturn]] void run_child(const std::function<void(const Send&)>& child, int out) {
  for (const int crash : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) std::signal(crash, SIG_DFL);
  const rlimit no_core{0, 0}, two_minutes{120, 120};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::setrlimit(RLIMIT_CPU, &two_minutes);
  try {
    child([out](const void* bytes, std::size_t n) {
      for (const char* p = static_cast<const char*>(bytes); n > 0;) {
        const ssize_t done = ::write(out, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) ::_exit(1);
        p += done, n -= std::size_t(done);
      }
    });
  } catch (...) { ::_exit(1); }
  ::_exit(0);
}

/// Ends with the child, also when reading from it throws.
struct Child {
  pid_t id;
  int in;
  int status = 0;
  bool waited = false;
  void wait() {
    if (in >= 0) ::close(in), in = -1;  // a child that still writes ends by that
    while (!waited && ::waitpid(id, &status, 0) < 0 && errno == EINTR) {}
    waited = true;
  }
  ~Child() { wait(); }
};

}  // namespace

std::string in_child_process(const std::function<void(const Send&)>& child,
                             const std::function<void(const Receive&)>& parent) {
  int ends[2];
  engine::require<engine::IoError>(::pipe2(ends, O_CLOEXEC) == 0,
                                   "no pipe to a child process can be made; close other programs");
  const pid_t id = ::fork();
  if (id == 0) {
    ::close(ends[0]);
    run_child(child, ends[1]);
  }
  ::close(ends[1]);
  if (id < 0) ::close(ends[0]);
  engine::require<engine::IoError>(id > 0, "no child process can be started; close other programs");
  Child running{id, ends[0]};
  parent([&](void* bytes, std::size_t n) {
    for (char* p = static_cast<char*>(bytes); n > 0;) {
      const ssize_t done = ::read(running.in, p, n);
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) return false;
      p += done, n -= std::size_t(done);
    }
    return true;
  });
  running.wait();
  if (WIFSIGNALED(running.status)) return fmt::format("signal {}", WTERMSIG(running.status));
  return WEXITSTATUS(running.status) == 0 ? "" : fmt::format("exit code {}", WEXITSTATUS(running.status));
}

}  // namespace sagcl::datasets
