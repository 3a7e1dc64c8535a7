// Stands in for libnccl.so.2, with every function that is looked up there: writes down the calls and does nothing. The
// variables that tests set are exported too.
#include <cstring>
#include <string>

extern "C" {

char sagcl_fake_nccl_calls[4096] = "";
int sagcl_fake_nccl_async_error = 0;  ///< what ncclCommGetAsyncError finds
int sagcl_fake_nccl_send_status = 0;  ///< what ncclSend returns

static int call(const char* name, int status = 0) {
  std::strncat(sagcl_fake_nccl_calls, (std::string(name) + " ").c_str(),
               sizeof sagcl_fake_nccl_calls - std::strlen(sagcl_fake_nccl_calls) - 1);
  return status;
}

const char* ncclGetErrorString(int status) { return status == 6 ? "remote process exited" : "some error"; }
int ncclGetUniqueId(void*) { return 0; }
struct UniqueId {
  char bytes[128];
};
int ncclCommInitRank(void** comm, int, UniqueId, int) {
  static int one;
  *comm = &one;
  return call("init");
}
int ncclCommDestroy(void*) { return call("destroy"); }
int ncclCommAbort(void*) { return call("abort"); }
int ncclCommGetAsyncError(void*, int* status) {
  *status = sagcl_fake_nccl_async_error;
  return 0;
}
int ncclAllGather(const void*, void*, std::size_t, int, void*, void*) { return call("all_gather"); }
int ncclSend(const void*, std::size_t, int, int, void*, void*) { return call("send", sagcl_fake_nccl_send_status); }
int ncclRecv(void*, std::size_t, int, int, void*, void*) { return call("receive"); }
int ncclGroupStart() { return call("start"); }
int ncclGroupEnd() { return call("end"); }

}  // extern "C"
