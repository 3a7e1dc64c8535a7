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
                      $<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer> $<$<COMPILE_LANGUAGE:CXX>:-g1>)
  add_link_options(-fsanitize=address,undefined)
endif()
# No contraction and no fast-math: the same formula gives the same bits wherever it is inlined and on every instruction set.
# (GCC's default is to contract wherever the target has fused multiply-adds.) The exception is in ops/cpu/kernels.cmake.
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>)
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wall> $<$<COMPILE_LANGUAGE:CXX>:-Wextra> $<$<COMPILE_LANGUAGE:CXX>:-Wshadow=local>)
if(SAGCL_WERROR)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()

# sagcl_floor(<folder> LINK ...): a static library of every source directly in the folder, its baselines and its cpu part.
function(sagcl_floor name)
  cmake_parse_arguments(F "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${name}/*.cpp ${PROJECT_SOURCE_DIR}/${name}/cpu/*.cpp
       ${PROJECT_SOURCE_DIR}/${name}/baselines/*.cpp)
  add_library(sagcl_${name} STATIC ${sources})
  target_include_directories(sagcl_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(sagcl_${name} ${F_LINK})
endfunction()
