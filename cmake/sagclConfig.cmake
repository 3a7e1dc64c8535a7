# find_package(sagcl): the targets sagcl::engine, sagcl::autograd, sagcl::ops, sagcl::layers, sagcl::datasets, sagcl::semiagcl.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(fmt)
find_dependency(ZLIB)
find_dependency(nlohmann_json)
include(${CMAKE_CURRENT_LIST_DIR}/sagclTargets.cmake)
