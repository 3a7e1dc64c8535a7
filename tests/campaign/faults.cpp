// Makes the k-th call of one kind fail: LD_PRELOAD=libfaults.so SAGCL_FAULT=write:7:28 (28 is ENOSPC) PROGRAM …
// Kinds: open, write, fsync, rename, close, mmap, thread, malloc; and power, which ends the process at the k-th write, fsync
// or rename, and cuts every file of $SAGCL_FAULT_ROOT to what had been synced of it. Calls on standard input and output are
// left alone, and of open those that only read what is no file of ours. When the call is reached a line is appended to
// $SAGCL_FAULT_LOG: a run that leaves none has been through all of its calls.
#include <dlfcn.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

namespace {

struct Plan {
  char kind[16] = "";
  long at = 0;
  int error = 0;
  const char *root = "", *log = "";
};

Plan read_plan() {
  Plan plan;
  if (const char* text = std::getenv("SAGCL_FAULT")) std::sscanf(text, "%15[a-z]:%ld:%d", plan.kind, &plan.at, &plan.error);
  if (const char* root = std::getenv("SAGCL_FAULT_ROOT")) plan.root = root;
  if (const char* log = std::getenv("SAGCL_FAULT_LOG")) plan.log = log;
  return plan;
}

Plan plan;
std::atomic<long> calls = 0;
std::atomic<bool> ready = false;

/// What the disk has of each file, by inode: all there is when the process begins, then what fsync was asked for.
std::map<ino_t, off_t>* synced = nullptr;
std::mutex disk;

__attribute__((constructor)) void begin() {
  plan = read_plan();
  if (std::strcmp(plan.kind, "power") == 0) {
    synced = new std::map<ino_t, off_t>;
    nftw(
        plan.root, [](const char*, const struct stat* s, int, FTW*) { return (*synced)[s->st_ino] = s->st_size, 0; }, 16,
        FTW_PHYS);
  }
  ready = true;
}

template <class F>
F* next(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

void note() {
  static const auto real_open = next<int(const char*, int, ...)>("open");
  static const auto real_write = next<ssize_t(int, const void*, size_t)>("write");
  static const auto real_close = next<int(int)>("close");
  const int file = real_open(plan.log, O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (file < 0) return;
  if (real_write(file, "reached\n", 8) < 0) return;
  real_close(file);
}

/// True once: at the k-th call of the kind.
bool fails(const char* kind) {
  if (!ready || std::strcmp(kind, plan.kind) != 0 || ++calls != plan.at) return false;
  note();
  errno = plan.error;
  return true;
}

/// A moment at which the power may go.
void moment() {
  if (!synced) return;
  const std::lock_guard lock(disk);
  if (!fails("power")) return;
  const auto cut = [](const char* path, const struct stat* s, int, FTW*) {
    const auto found = synced->find(s->st_ino);
    const off_t kept = found == synced->end() ? 0 : found->second;
    return S_ISREG(s->st_mode) && s->st_size > kept && std::strcmp(path, plan.log) != 0 ? truncate(path, kept) : 0;
  };
  nftw(plan.root, cut, 16, FTW_PHYS);
  raise(SIGKILL);
}

/// The call went well: the disk has the file.
int on_disk(int file, int result) {
  struct stat s;
  const std::lock_guard lock(disk);
  if (synced && result == 0 && fstat(file, &s) == 0) (*synced)[s.st_ino] = s.st_size;
  return result;
}

bool ours(const char* path, int flags) {
  return (flags & O_ACCMODE) != O_RDONLY || std::strncmp(path, plan.root, std::strlen(plan.root)) == 0;
}

}  // namespace

extern "C" {

#define OPEN(name)                                                            \
  int name(const char* path, int flags, ...) {                                \
    static const auto real = next<int(const char*, int, ...)>(#name);         \
    va_list more;                                                             \
    va_start(more, flags);                                                    \
    const int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, int) : 0;   \
    va_end(more);                                                             \
    return ours(path, flags) && fails("open") ? -1 : real(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

#define FOPEN(name)                                                                                      \
  FILE* name(const char* path, const char* mode) {                                                       \
    static const auto real = next<FILE*(const char*, const char*)>(#name);                               \
    return ours(path, *mode == 'r' ? O_RDONLY : O_WRONLY) && fails("open") ? nullptr : real(path, mode); \
  }
FOPEN(fopen)
FOPEN(fopen64)

ssize_t write(int file, const void* from, size_t bytes) {
  static const auto real = next<ssize_t(int, const void*, size_t)>("write");
  if (file > 2) moment();
  return file > 2 && fails("write") ? -1 : real(file, from, bytes);
}
ssize_t pwrite(int file, const void* from, size_t bytes, off_t at) {
  static const auto real = next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  if (file > 2) moment();
  return file > 2 && fails("write") ? -1 : real(file, from, bytes, at);
}
ssize_t writev(int file, const iovec* from, int count) {
  static const auto real = next<ssize_t(int, const iovec*, int)>("writev");
  if (file > 2) moment();
  return file > 2 && fails("write") ? -1 : real(file, from, count);
}
size_t fwrite(const void* from, size_t size, size_t count, FILE* to) {
  static const auto real = next<size_t(const void*, size_t, size_t, FILE*)>("fwrite");
  return fileno(to) > 2 && fails("write") ? 0 : real(from, size, count, to);
}
int fsync(int file) {
  static const auto real = next<int(int)>("fsync");
  moment();
  return fails("fsync") ? -1 : on_disk(file, real(file));
}
int fdatasync(int file) {
  static const auto real = next<int(int)>("fdatasync");
  moment();
  return fails("fsync") ? -1 : on_disk(file, real(file));
}
int rename(const char* from, const char* to) {
  static const auto real = next<int(const char*, const char*)>("rename");
  moment();
  return fails("rename") ? -1 : real(from, to);
}
int renameat2(int a, const char* from, int b, const char* to, unsigned flags) {
  static const auto real = next<int(int, const char*, int, const char*, unsigned)>("renameat2");
  moment();
  return fails("rename") ? -1 : real(a, from, b, to, flags);
}
int close(int file) {
  static const auto real = next<int(int)>("close");
  const bool fail = file > 2 && fails("close");
  const int done = real(file);  // the descriptor is gone all the same, as after EIO
  if (fail) errno = plan.error;
  return fail ? -1 : done;
}
void* mmap(void* at, size_t bytes, int protection, int flags, int file, off_t offset) {
  static const auto real = next<void*(void*, size_t, int, int, int, off_t)>("mmap");
  return fails("mmap") ? MAP_FAILED : real(at, bytes, protection, flags, file, offset);
}
int pthread_create(pthread_t* thread, const pthread_attr_t* how, void* (*run)(void*), void* with) {
  static const auto real = next<int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>("pthread_create");
  return fails("thread") ? plan.error : real(thread, how, run, with);
}

void* __libc_malloc(size_t bytes);
void* malloc(size_t bytes) { return fails("malloc") ? nullptr : __libc_malloc(bytes); }
int posix_memalign(void** memory, size_t alignment, size_t bytes) {
  static const auto real = next<int(void**, size_t, size_t)>("posix_memalign");
  return fails("malloc") ? ENOMEM : real(memory, alignment, bytes);
}

}  // extern "C"
