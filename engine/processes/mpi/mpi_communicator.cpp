// Processes connected by MPI, for tensors in main memory.
#include <mpi.h>

#include <cstdlib>

#include "engine/devices/plugin.h"
#include "engine/processes/communicator.h"

namespace sagcl::engine {
namespace {

void check(int status, const char* what) {
  if (status == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(status, text, &length);
  fail<BackendError>("{}: {}", what, text);
}

int count_of(std::size_t bytes) {
  require<UsageError>(bytes < (std::size_t(1) << 31), "MPI: a message of {} bytes; at most 2 GiB travel at once", bytes);
  return int(bytes);
}

void require_host(Device device) {
  require<UsageError>(device == Device::cpu(), "MPI connects main memory, not {}", device);
}

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator() {
    int provided = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
    check(MPI_Comm_size(MPI_COMM_WORLD, &size_), "MPI_Comm_size");
    MPI_Comm machine;
    check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &machine), "MPI_Comm_split_type");
    check(MPI_Comm_rank(machine, &local_rank_), "MPI_Comm_rank");
    check(MPI_Comm_size(machine, &local_size_), "MPI_Comm_size");
    MPI_Comm_free(&machine);
    if (provided < MPI_THREAD_FUNNELED) {
      MPI_Finalize();
      fail<BackendError>("this MPI does not allow threads (MPI_THREAD_FUNNELED)");
    }
  }
  ~MpiCommunicator() override { MPI_Finalize(); }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_rank() const override { return local_rank_; }
  int local_size() const override { return local_size_; }

  void all_gather(void* all, std::size_t bytes, Device device) override {
    require_host(device);
    const int count = count_of(bytes);
    check(MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, count, MPI_BYTE, MPI_COMM_WORLD), "MPI_Allgather");
  }
  void all_to_all(const void* send, void* receive, std::size_t bytes, Device device) override {
    require_host(device);
    const int count = count_of(bytes);
    check(MPI_Alltoall(send, count, MPI_BYTE, receive, count, MPI_BYTE, MPI_COMM_WORLD), "MPI_Alltoall");
  }
  void abort(int code) override {
    MPI_Abort(MPI_COMM_WORLD, code);
    std::_Exit(code);
  }

 private:
  int rank_ = 0, size_ = 1, local_rank_ = 0, local_size_ = 1;
};

}  // namespace
}  // namespace sagcl::engine

extern "C" __attribute__((visibility("default"))) sagcl::engine::Communicator* sagcl_plugin_connect(
    int version, sagcl::engine::PluginAnswer* answer) {
  using namespace sagcl::engine;
  try {
    require<UsageError>(version == plugin_version, "libsagcl_mpi.so has version {}, the program wants {}: build both anew",
                        plugin_version, version);
    Communicator* world = new MpiCommunicator;
    answer->ready = true;
    return world;
  } catch (const std::exception& e) {
    std::string(e.what()).copy(answer->text, sizeof answer->text - 1);
    return nullptr;
  }
}
