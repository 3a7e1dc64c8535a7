// Takes a profiler's place: NVTX_INJECTION64_PATH=libsagcl_range_log.so makes NVTX tell it of every range. At the end of the
// program it writes them, as in "(step(batch)(forward(conv)…", to the file that SAGCL_RANGE_LOG names.
#include <nvtx3/nvToolsExt.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

struct Transcript {
  std::string text;
  ~Transcript() {
    const char* name = std::getenv("SAGCL_RANGE_LOG");
    std::FILE* file = name ? std::fopen(name, "w") : nullptr;
    if (!file) return;
    std::fwrite(text.data(), 1, text.size(), file);
    std::fclose(file);
  }
};
Transcript& transcript() {
  static Transcript one;
  return one;
}

int begin(const char* name) {
  transcript().text += std::string("(") + name;
  return 0;
}

int end() {
  transcript().text += ")";
  return 0;
}

}  // namespace

extern "C" const char* sagcl_range_log() { return transcript().text.c_str(); }

extern "C" int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t table_of) {
  const auto* callbacks = static_cast<const NvtxExportTableCallbacks*>(table_of(NVTX_ETID_CALLBACKS));
  NvtxFunctionTable table = nullptr;
  unsigned int size = 0;
  if (!callbacks || !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &table, &size)) return 0;
  if (size <= NVTX_CBID_CORE_RangePop) return 0;
  *table[NVTX_CBID_CORE_RangePushA] = reinterpret_cast<NvtxFunctionPointer>(begin);
  *table[NVTX_CBID_CORE_RangePop] = reinterpret_cast<NvtxFunctionPointer>(end);
  return 1;
}
