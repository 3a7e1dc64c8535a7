# The portable bundle: `cpack` packs it, `cmake --install` lays it out in a folder. Everything but glibc, MPI and NVIDIA's
# libraries is inside and found relative to the program, so it may be unpacked anywhere, on any distribution with this
# glibc or a newer one.
get_property(programs GLOBAL PROPERTY SAGCL_PROGRAMS)
list(REMOVE_ITEM programs sagcl-ideas)  # draws this repository's documentation
list(TRANSFORM programs REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE program_files)
foreach(program sagcl-gpu-check sagcl-gpu-properties)
  if(TARGET ${program})
    list(APPEND programs ${program})
  endif()
endforeach()
# DT_RPATH, unlike the newer DT_RUNPATH, also serves the libraries that libraries need.
set_target_properties(${programs} sagcl_hdf5 PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
foreach(program ${programs} sagcl_hdf5)
  target_link_options(${program} PRIVATE -Wl,--disable-new-dtags)
endforeach()
install(TARGETS ${programs} RUNTIME DESTINATION bin OPTIONAL)
foreach(plugin sagcl_cuda sagcl_hdf5 sagcl_mpi)
  if(TARGET ${plugin})
    install(TARGETS ${plugin} LIBRARY DESTINATION lib OPTIONAL)
  endif()
endforeach()
if(TARGET sagcl_range_log)  # gpu-check.sh looks for it beside the programs
  install(TARGETS sagcl_range_log LIBRARY DESTINATION bin OPTIONAL)
endif()
install(DIRECTORY tools/presets DESTINATION share/sagcl)
install(DIRECTORY data/hippocampus DESTINATION data)
install(PROGRAMS tools/gpu-check.sh DESTINATION tools)
install(PROGRAMS tools/gpu/peers.py tools/gpu/kernel-times.py DESTINATION tools/gpu)
install(PROGRAMS tools/bench/compare.py DESTINATION tools/bench)
install(FILES README.md LICENSE DESTINATION share/sagcl)

# The libraries of this system that the programs need, each under the one name it is looked for, and their licences.
install(CODE "set(program_files \"${program_files}\")\nset(plugin_files \"$<TARGET_FILE:sagcl_hdf5>\")")
install(CODE [[
  file(GET_RUNTIME_DEPENDENCIES EXECUTABLES ${program_files} MODULES ${plugin_files} RESOLVED_DEPENDENCIES_VAR libraries
       PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|pthread|cuda|cudnn[a-z_]*|nv[a-zA-Z-]*)\\.so"
       POST_EXCLUDE_REGEXES "/usr/local/cuda")
  set(prefix "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")
  file(MAKE_DIRECTORY "${prefix}/lib" "${prefix}/share/sagcl/licences")
  foreach(library ${libraries})
    get_filename_component(name ${library} NAME)
    file(REAL_PATH ${library} file)
    file(COPY_FILE ${file} "${prefix}/lib/${name}" ONLY_IF_DIFFERENT)
    get_filename_component(real ${file} NAME)
    execute_process(COMMAND dpkg-query --search "*/${real}" OUTPUT_VARIABLE owner ERROR_QUIET)
    if(owner MATCHES "^([a-z0-9.+-]+)[:,]" AND EXISTS "/usr/share/doc/${CMAKE_MATCH_1}/copyright")
      file(COPY_FILE "/usr/share/doc/${CMAKE_MATCH_1}/copyright" "${prefix}/share/sagcl/licences/${CMAKE_MATCH_1}"
           ONLY_IF_DIFFERENT)
    endif()
  endforeach()
]])

# The libraries, for `find_package(sagcl)`: cmake --install BUILD --component development --prefix DIR. Not in the bundle.
get_property(floors GLOBAL PROPERTY SAGCL_FLOORS)
foreach(floor ${floors})
  set_target_properties(sagcl_${floor} PROPERTIES EXPORT_NAME ${floor})
  install(TARGETS sagcl_${floor} EXPORT sagcl ARCHIVE DESTINATION lib COMPONENT development EXCLUDE_FROM_ALL)
  install(DIRECTORY ${floor} DESTINATION include/sagcl COMPONENT development EXCLUDE_FROM_ALL FILES_MATCHING PATTERN "*.h"
          PATTERN cpu EXCLUDE PATTERN cuda EXCLUDE PATTERN mpi EXCLUDE PATTERN hdf5 EXCLUDE)
endforeach()
install(TARGETS sagcl_cpu_vendors sagcl_stb EXPORT sagcl COMPONENT development EXCLUDE_FROM_ALL)
# A program shows its symbols to the plugins, which it looks for in its folder, in ../lib and in SAGCL_PLUGINS.
target_link_options(sagcl_engine INTERFACE $<INSTALL_INTERFACE:-rdynamic>)
install(EXPORT sagcl NAMESPACE sagcl:: FILE sagclTargets.cmake DESTINATION lib/cmake/sagcl COMPONENT development EXCLUDE_FROM_ALL)
foreach(plugin sagcl_cuda sagcl_hdf5 sagcl_mpi)
  if(TARGET ${plugin})
    install(TARGETS ${plugin} LIBRARY DESTINATION lib COMPONENT development OPTIONAL EXCLUDE_FROM_ALL)
  endif()
endforeach()
include(CMakePackageConfigHelpers)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/sagclConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/sagclConfig.cmake ${CMAKE_BINARY_DIR}/sagclConfigVersion.cmake DESTINATION lib/cmake/sagcl
        COMPONENT development EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_FILE_NAME sagcl-${PROJECT_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_STRIP_FILES ON)
include(CPack)
