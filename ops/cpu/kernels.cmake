# Our own CPU kernels: the same sources compiled once per instruction set; the program chooses when it runs
# (ops/cpu/kernels.cpp). Here alone products and sums are contracted, it is what these kernels are for.
function(sagcl_kernels isa)
  add_library(sagcl_kernels_${isa} OBJECT ${PROJECT_SOURCE_DIR}/ops/cpu/isa/kernels.cpp)
  target_include_directories(sagcl_kernels_${isa} PRIVATE ${PROJECT_SOURCE_DIR})
  # Contracted throughout: GCC 14 would leave single chains of sums as products and sums on some instruction sets.
  target_compile_options(sagcl_kernels_${isa} PRIVATE -O3 -ffp-contract=fast -fno-stack-protector
                         $<$<CXX_COMPILER_ID:GNU>:--param=avoid-fma-max-bits=0> ${ARGN})
  target_sources(sagcl_ops PRIVATE $<TARGET_OBJECTS:sagcl_kernels_${isa}>)
endfunction()

sagcl_kernels(baseline)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  sagcl_kernels(avx2 -mavx2 -mfma)
  sagcl_kernels(avx512 -mavx512f -mavx512dq -mavx512vl -mavx512bw -mfma -mprefer-vector-width=512)
  target_compile_definitions(sagcl_ops PRIVATE SAGCL_X86_KERNELS)
endif()

# Neither errno after a square root nor floating-point traps matter, and both would keep loops scalar. Vectors returned by
# value (psabi) are always compiled into their caller.
target_compile_options(sagcl_ops PRIVATE -fno-math-errno -fno-trapping-math -Wno-psabi)
if(SAGCL_SANITIZE)
  target_compile_options(sagcl_ops PRIVATE -O2)
endif()

# oneDNN is a yardstick alone; without it its file is replaced by one that says so.
if(SAGCL_ONEDNN)
  set(onednn_unused without_onednn)
  target_link_libraries(sagcl_ops PRIVATE DNNL::dnnl)
else()
  set(onednn_unused onednn)
endif()
set_source_files_properties(${PROJECT_SOURCE_DIR}/ops/cpu/conv/${onednn_unused}.cpp PROPERTIES HEADER_FILE_ONLY ON)
