#include "ops/cuda/runtime/nccl_communicator.h"

#include "engine/devices/plugin.h"

#ifdef SAGCL_HAVE_NCCL
#include <dlfcn.h>
#include <nccl.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <vector>

#include "engine/devices/libraries.h"
#include "ops/cuda/runtime/stream.h"

namespace sagcl::ops::cuda {
namespace {

using engine::BackendError;
using engine::Device;
using engine::require;

/// NCCL's functions. The library has 200 MB, so only runs on several GPUs load it.
struct Nccl {
  decltype(&ncclGetErrorString) error_string;
  decltype(&ncclGetUniqueId) unique_id;
  decltype(&ncclCommInitRank) init_rank;
  decltype(&ncclCommDestroy) destroy;
  decltype(&ncclCommAbort) abort;
  decltype(&ncclCommGetAsyncError) async_error;
  decltype(&ncclAllGather) all_gather;
  decltype(&ncclSend) send;
  decltype(&ncclRecv) receive;
  decltype(&ncclGroupStart) group_start;
  decltype(&ncclGroupEnd) group_end;

  Nccl() {
    const char* named = std::getenv("SAGCL_NCCL");
    const char* file = named ? named : "libnccl.so.2";
    std::string error;
    void* library = engine::open_library(file, RTLD_NOW | RTLD_LOCAL, error);
    require<BackendError>(library,
                          "NCCL cannot be loaded: {}; put its folder into LD_LIBRARY_PATH, or name the file in "
                          "SAGCL_NCCL",
                          error);
    const auto find = [&]<class F>(F& f, const char* name) {
      f = reinterpret_cast<F>(dlsym(library, name));
      require<BackendError>(f, "{} has no {}; NCCL 2.7 or later is needed", file, name);
    };
    find(error_string, "ncclGetErrorString"), find(unique_id, "ncclGetUniqueId"), find(init_rank, "ncclCommInitRank");
    find(destroy, "ncclCommDestroy"), find(abort, "ncclCommAbort"), find(async_error, "ncclCommGetAsyncError");
    find(all_gather, "ncclAllGather"), find(send, "ncclSend"), find(receive, "ncclRecv"),
        find(group_start, "ncclGroupStart"), find(group_end, "ncclGroupEnd");
  }

  void check(ncclResult_t status, const char* what) const {
    require<BackendError>(status == ncclSuccess, "{}: {}; NCCL_DEBUG=INFO tells more", what, error_string(status));
  }
};

/// Calls that NCCL takes together. It is ended on every way out: an open group would swallow all later calls.
class Group {
 public:
  explicit Group(const Nccl& nccl) : nccl_(nccl) { nccl.check(nccl.group_start(), "ncclGroupStart"); }
  ~Group() {
    if (open_) nccl_.group_end();
  }
  Group(const Group&) = delete;
  void end() {
    open_ = false;
    nccl_.check(nccl_.group_end(), "ncclGroupEnd");
  }

 private:
  const Nccl& nccl_;
  bool open_ = true;
};

class NcclCommunicator final : public engine::Communicator {
 public:
  explicit NcclCommunicator(engine::Communicator& host) : host_(host), exceptions_(std::uncaught_exceptions()) {
    const char* limit = std::getenv("SAGCL_NCCL_TIMEOUT");
    if (limit) limit_ = std::chrono::duration<double>(std::atof(limit));
    std::vector<ncclUniqueId> ids(std::size_t(host.size()));  // the world's is that of process 0
    if (host.rank() == 0) nccl_.check(nccl_.unique_id(&ids[0]), "ncclGetUniqueId");
    host.all_gather(ids.data(), sizeof ids[0], Device::cpu());
    ncclComm_t comm = nullptr;
    nccl_.check(nccl_.init_rank(&comm, host.size(), ids[0], host.rank()), "ncclCommInitRank");
    comm_ = comm;
    set_watch([this](std::chrono::duration<double> waited) { require_others(waited); });
  }
  /// ncclCommDestroy waits for the others, and they may be waiting for this one inside a collective call: whoever leaves by
  /// an exception does not wait.
  ~NcclCommunicator() override {
    set_watch({});
    if (std::uncaught_exceptions() > exceptions_) abort_connection();
    if (const ncclComm_t comm = comm_) nccl_.destroy(comm);
  }

  int rank() const override { return host_.rank(); }
  int size() const override { return host_.size(); }
  int local_rank() const override { return host_.local_rank(); }
  int local_size() const override { return host_.local_size(); }

  void all_gather(void* all, std::size_t bytes, Device device) override {
    if (device == Device::cpu()) return host_.all_gather(all, bytes, device);
    const char* mine = static_cast<char*>(all) + std::size_t(rank()) * bytes;
    nccl_.check(nccl_.all_gather(mine, all, bytes, ncclInt8, connection(), stream()), "ncclAllGather");
  }
  void all_to_all(const void* send, void* receive, std::size_t bytes, Device device) override {
    if (device == Device::cpu()) return host_.all_to_all(send, receive, bytes, device);
    const ncclComm_t comm = connection();
    Group group(nccl_);
    for (int r = 0; r < size(); ++r) {
      const std::size_t at = std::size_t(r) * bytes;
      nccl_.check(nccl_.send(static_cast<const char*>(send) + at, bytes, ncclInt8, r, comm, stream()), "ncclSend");
      nccl_.check(nccl_.receive(static_cast<char*>(receive) + at, bytes, ncclInt8, r, comm, stream()), "ncclRecv");
    }
    group.end();
  }
  void abort(int code) override { host_.abort(code); }

 private:
  ncclComm_t connection() const {
    const ncclComm_t comm = comm_;
    if (!comm) engine::fail<BackendError>("{}", lost_);
    return comm;
  }
  void abort_connection() {
    if (const ncclComm_t comm = comm_.exchange(nullptr)) nccl_.abort(comm);
  }

  /// The watch: NCCL's kernels wait for ever where a process does not come, so the host looks whether it will.
  void require_others(std::chrono::duration<double> waited) {
    ncclResult_t status = ncclSuccess;
    nccl_.check(nccl_.async_error(connection(), &status), "ncclCommGetAsyncError");
    if (status == ncclInProgress || (status == ncclSuccess && waited < limit_)) return;
    lost_ = status != ncclSuccess
                ? fmt::format("a GPU of another process does not answer: {}; NCCL_DEBUG=INFO tells more",
                              nccl_.error_string(status))
                : fmt::format(
                      "the GPUs of the {} processes have not come together within {:.0f} s: one of them may hang. A "
                      "longer time is set by SAGCL_NCCL_TIMEOUT, in seconds",
                      size(), limit_.count());
    abort_connection();
    engine::fail<BackendError>("{}", lost_);
  }

  Nccl nccl_;
  engine::Communicator& host_;
  int exceptions_;  // that were under way when this one was made
  std::chrono::duration<double> limit_ = std::chrono::minutes(30);
  std::string lost_ = "the connection between the GPUs has been ended";  // why it was, once comm_ is nullptr
  std::atomic<ncclComm_t> comm_ = nullptr;  // nullptr after an abort, by whichever thread was waiting
};

}  // namespace

std::unique_ptr<engine::Communicator> connect_gpus(engine::Communicator& host) {
  return std::make_unique<NcclCommunicator>(host);
}

}  // namespace sagcl::ops::cuda

#else

namespace sagcl::ops::cuda {

std::unique_ptr<engine::Communicator> connect_gpus(engine::Communicator&) {
  engine::fail<engine::BackendError>("the CUDA plugin was built without NCCL; install nccl.h and build it anew");
}

}  // namespace sagcl::ops::cuda

#endif

extern "C" __attribute__((visibility("default"))) sagcl::engine::Communicator* sagcl_plugin_connect_gpus(
    sagcl::engine::Communicator* host, sagcl::engine::PluginAnswer* answer) {
  try {
    auto gpus = sagcl::ops::cuda::connect_gpus(*host);
    answer->ready = true;
    return gpus.release();
  } catch (const std::exception& e) {
    std::string(e.what()).copy(answer->text, sizeof answer->text - 1);
    return nullptr;
  }
}
