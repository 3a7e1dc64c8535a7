set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_ENABLE_EXPORTS ON)   # programs show their symbols to the CUDA plugin, which they open at run time
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "build type" FORCE)
endif()
find_program(SAGCL_CCACHE ccache)
if(SAGCL_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SAGCL_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${SAGCL_CCACHE})
endif()

option(SAGCL_SANITIZE "AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
option(SAGCL_WERROR "warnings are errors; for those who change the code: other compilers find other things to warn of" OFF)
if(SAGCL_SANITIZE)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=address,undefined> $<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize-recover=undefined>
                      $<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer> $<$<COMPILE_LANGUAGE:CXX>:-g1>
                      $<$<COMPILE_LANGUAGE:CXX>:-O1>)   # a third less to compile than -O2; loops that take time set their own
  add_link_options(-fsanitize=address,undefined)
endif()
# Files from anybody are read (SECURITY.md): what overruns a buffer all the same ends the program.
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)
add_link_options(LINKER:-z,relro $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:LINKER:-z,now>)
if(NOT SAGCL_SANITIZE)  # which finds more
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fstack-protector-strong>)
  if(NOT CMAKE_BUILD_TYPE STREQUAL Debug)
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-U_FORTIFY_SOURCE> $<$<COMPILE_LANGUAGE:CXX>:-D_FORTIFY_SOURCE=2>)
  endif()
endif()
# No contraction and no fast-math: the same formula gives the same bits wherever it is inlined and on every instruction set.
# (GCC's default is to contract wherever the target has fused multiply-adds.) The exception is in ops/cpu/kernels.cmake.
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>)
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wall> $<$<COMPILE_LANGUAGE:CXX>:-Wextra> $<$<COMPILE_LANGUAGE:CXX>:-Wshadow=local>)
if(CMAKE_UNITY_BUILD)  # tools/demo and tools/test: half the time, but then a floor's local names must differ (tests/README.md)
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)  # a source is then no main file
endif()
if(SAGCL_WERROR)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()

# sagcl_floor(<folder> [ROOMS <subfolder>...] LINK ...): a static library of every source directly in the folder and its rooms.
function(sagcl_floor name)
  cmake_parse_arguments(F "" "" "ROOMS;LINK" ${ARGN})
  list(TRANSFORM F_ROOMS REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/${name}/\\1/*.cpp")
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${name}/*.cpp ${F_ROOMS})
  add_library(sagcl_${name} STATIC ${sources})
  target_include_directories(sagcl_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/sagcl>)
  target_compile_features(sagcl_${name} PUBLIC cxx_std_20)
  set_property(GLOBAL APPEND PROPERTY SAGCL_FLOORS ${name})
  target_link_libraries(sagcl_${name} ${F_LINK})
endfunction()
